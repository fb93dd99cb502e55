import type { Clock } from '../../../localstack/one-process/queue/clock.ts';

/** Turns of the event loop given to whatever a timer set off. */
const TURNS = 10;

/** A clock that stands still until it is told to advance. */
export class FakeClock implements Clock {
  #now: number;
  readonly #timers = new Set<{ at: number; run: () => void }>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  /** Timers that wait to run. */
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

  /** Runs the timers due within `ms`, in order, and lets what each sets off come to rest before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await rest();
    for (let next = this.#due(until); next; next = this.#due(until)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.run();
      await rest();
    }
    this.#now = until;
  }

  #due(until: number) {
    let first: { at: number; run: () => void } | undefined;
    for (const timer of this.#timers) if (timer.at <= until && (!first || timer.at < first.at)) first = timer;
    return first;
  }
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
