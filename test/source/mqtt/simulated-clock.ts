import type { Clock } from '../../../lambdas/net/clock.ts';
import { FakeClock } from '../../one-process/queue/fake-clock.ts';

/** A clock whose sleepers wake up only by `advance`. */
export class SimulatedClock extends FakeClock implements Clock {
  wallMs(): number {
    return this.now();
  }

  monotonicMs(): number {
    return this.now();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }
}
