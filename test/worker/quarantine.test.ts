import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BufferMessage } from '../../lambdas/worker/message.ts';
import { divide, isWatched, watchedVisibilitySeconds } from '../../lambdas/worker/quarantine.ts';

/** A crash: Lambda starts the function with the message, and it stops. A throttle: Lambda receives the message, and cannot start it. */
type Receive = 'crash' | 'throttle';

const timeoutMs = 60_000;
/** The queue's: six timeouts, and the batching window. */
const QUEUE_VISIBILITY_MS = 6 * timeoutMs;

/** Receives a message as given, each time when it is visible again. @returns how often the function started until it was given up */
function startsUntilGivenUp(receives: readonly Receive[], given: Pick<BufferMessage, 'isSuspect'>, lateMs = 0) {
  let now = 1_795_251_600_000;
  let starts = 0;
  const message = { id: 'a', body: '', sentAt: now, attempt: 0, firstReceivedAt: now, ...given };
  for (const [i, how] of receives.entries()) {
    const received = { ...message, receiveCount: i + 1 };
    const start = { now, timeoutMs };
    let visibleAfterMs = QUEUE_VISIBILITY_MS;
    if (how === 'crash') {
      const { isCrashing, leaving } = divide([received], start);
      if (isCrashing || leaving.length > 0) return starts;
      starts++;
      if (isWatched(received)) visibleAfterMs = watchedVisibilitySeconds(start) * 1000;
    }
    now += visibleAfterMs + lateMs;
  }
  return undefined;
}

describe.each([
  ['in a batch', false],
  ['alone', true],
])('a message that is received often %s', (_, isSuspect) => {
  it('is given up once it has stopped the function twice, wherever its redelivery is up to half a minute late', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30_000 }), (lateMs) => {
        expect(startsUntilGivenUp(Array(5).fill('crash'), { isSuspect }, lateMs)).toBe(2);
      }),
    );
  });

  it('is never given up because invocations were throttled', () => {
    const throttled = fc.array(fc.constant<Receive>('throttle'), { minLength: 1, maxLength: 900 });
    fc.assert(
      fc.property(throttled, (receives) => {
        expect(startsUntilGivenUp([...receives, 'crash'], { isSuspect })).toBeUndefined();
      }),
    );
  });

  it('is given up after a crash, alone only after two, and at last however many throttled invocations came before', () => {
    const receives = fc.array(fc.constantFrom<Receive>('crash', 'throttle'), { maxLength: 12 });
    fc.assert(
      fc.property(receives, (some) => {
        const starts = startsUntilGivenUp([...some, ...Array<Receive>(200).fill('crash')], { isSuspect });
        expect(starts).toBeGreaterThanOrEqual(isSuspect ? 2 : 1);
      }),
    );
  });
});
