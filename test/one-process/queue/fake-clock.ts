import type { Clock } from '../../../localstack/one-process/clock.ts';

/** Turns of the event loop after each timer, for the work that it starts. */
const TURNS = 10;

/** A clock that only moves by `advance`. */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  /** The number of pending timers. */
  get timers(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Runs the timers that are due within `ms`, in order, and waits after each for the work that it starts. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await runPendingWork();
    for (let next = this.#due(until); next; next = this.#due(until)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.run();
      await runPendingWork();
    }
    this.#now = until;
  }

  #due(until: number) {
    let first: { at: number; run: () => void } | undefined;
    for (const timer of this.#timers) if (timer.at <= until && (!first || timer.at < first.at)) first = timer;
    return first;
  }
}

async function runPendingWork(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
