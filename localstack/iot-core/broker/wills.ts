/** Wills that wait for their will delay interval, by client id. */
export class PendingWills {
  readonly #waiting = new Map<string, { timer: NodeJS.Timeout; publish: () => void }>();

  schedule(clientId: string, delaySeconds: number, publish: () => void): void {
    if (delaySeconds === 0) {
      publish();
      return;
    }
    const timer = setTimeout(() => this.publishNow(clientId), delaySeconds * 1000).unref();
    this.#waiting.set(clientId, { timer, publish });
  }

  /** Discards the will, because the client resumed its session. */
  cancel(clientId: string): void {
    clearTimeout(this.#waiting.get(clientId)?.timer);
    this.#waiting.delete(clientId);
  }

  /** Publishes the will without further delay, because the session ended. */
  publishNow(clientId: string): void {
    const will = this.#waiting.get(clientId);
    this.cancel(clientId);
    will?.publish();
  }

  close(): void {
    for (const clientId of [...this.#waiting.keys()]) this.cancel(clientId);
  }
}
