/** A running LocalStack. */
export interface LocalStack {
  readonly endpointUrl: string;
  /** Stops LocalStack and all its processes, and deletes its state. A second call has no effect. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /**
   * Port of the endpoint on 127.0.0.1.
   *
   * @default - a free port
   */
  readonly port?: number;
  /**
   * Called every few seconds during the start, with a line for the user.
   *
   * @default - no output
   */
  readonly progress?: (line: string) => void;
}
