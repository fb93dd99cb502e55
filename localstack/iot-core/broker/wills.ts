/** Wills that wait for their delay, by client id. */
export class PendingWills {
  readonly #waiting = new Map<string, { timer: NodeJS.Timeout; publish: () => void }>();

  schedule(clientId: string, delaySeconds: number, publish: () => void): void {
    if (delaySeconds === 0) {
      publish();
      return;
    }
    const timer = setTimeout(() => this.flush(clientId), delaySeconds * 1000).unref();
    this.#waiting.set(clientId, { timer, publish });
  }

  /** The client came back to its session in time: the will is void. */
  cancel(clientId: string): void {
    clearTimeout(this.#waiting.get(clientId)?.timer);
    this.#waiting.delete(clientId);
  }

  /** The session is over: the will waits no longer. */
  flush(clientId: string): void {
    const will = this.#waiting.get(clientId);
    this.cancel(clientId);
    will?.publish();
  }

  close(): void {
    for (const clientId of [...this.#waiting.keys()]) this.cancel(clientId);
  }
}
