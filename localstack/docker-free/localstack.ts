/** A LocalStack that answers. */
export interface LocalStack {
  readonly endpointUrl: string;
  /** Ends it and all that it started, and forgets its state. Safe to call again. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /**
   * Port of its endpoint, on the loopback interface.
   *
   * @default - any that is free
   */
  readonly port?: number;
  /**
   * Takes a line now and then while it starts.
   *
   * @default - silence
   */
  readonly progress?: (line: string) => void;
}
