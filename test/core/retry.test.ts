import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRetries, type RetryPolicySpec } from '../../lambdas/core/retry.ts';

/** The greatest value that a random number from 0 to 1, 1 excluded, can have. */
const ALMOST_ONE = 1 - Number.EPSILON / 2;

/** Every delay of a message that always fails. The retries draw `dice` one after the other, and again from the first. */
function schedule(policy: RetryPolicySpec, dice: readonly number[] = [0.5]): number[] {
  const retries = compileRetries(policy);
  const delays: number[] = [];
  for (;;) {
    const ageSeconds = delays.reduce((sum, delay) => sum + delay, 0);
    const verdict = retries.next(
      { kind: 'unavailable', attempt: delays.length, ageSeconds },
      () => dice[delays.length % dice.length]!,
    );
    if (!verdict.again) return delays;
    delays.push(verdict.delaySeconds);
  }
}

describe('retry policies (D18, F31)', () => {
  it('backoff: three retries, each after a random 10 to 20 seconds', () => {
    const choices = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
    const ofEach = choices.map((_, i) => schedule('backoff', [(i + 0.5) / choices.length]));
    expect(ofEach).toEqual(choices.map((seconds) => [seconds, seconds, seconds]));
    expect(schedule('backoff', [0, 0.5, ALMOST_ONE])).toEqual([10, 15, 20]);
  });

  it('exponential decay: 176 retries, doubling to 256 seconds, then 512 each: 86,015 seconds in all', () => {
    const delays = schedule('exponential-decay');
    expect(delays.slice(0, 11)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512]);
    expect(delays).toHaveLength(176);
    expect(delays.reduce((sum, delay) => sum + delay)).toBe(86_015);
  });

  it('custom: as many retries as its steps say, none outside its bounds, none past its age', () => {
    const step = fc
      .tuple(fc.integer({ min: 1, max: 20 }), fc.nat(900), fc.nat(900))
      .map(([times, a, b]) => ({ times, minSeconds: Math.min(a, b), maxSeconds: Math.max(a, b) }));
    const age = fc.option(fc.integer({ min: 1, max: 10_000 }));
    const dice = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), age, dice, (steps, age, dice) => {
        const policy = { steps, on: ['unavailable' as const], ...(age !== null && { maximumAgeSeconds: age }) };
        const delays = schedule(policy, dice);
        const bounds = steps.flatMap(({ times, ...bound }) => Array.from({ length: times }, () => bound));
        const isWithin = (delay: number, i: number) => delay >= bounds[i]!.minSeconds && delay <= bounds[i]!.maxSeconds;
        expect(delays.filter((delay, i) => !isWithin(delay, i))).toEqual([]);
        if (age === null) expect(delays).toHaveLength(bounds.length);
        else expect(delays.reduce((sum, delay) => sum + delay, 0)).toBeLessThanOrEqual(age);
      }),
    );
  });

  it('reports why retries ended', () => {
    const { next } = compileRetries({
      steps: [{ times: 1, minSeconds: 5, maxSeconds: 5 }],
      on: ['throttled'],
      maximumAgeSeconds: 60,
    });
    const conditions = [
      next({ kind: 'timeout', attempt: 0, ageSeconds: 0 }, () => 0),
      next({ kind: 'throttled', attempt: 0, ageSeconds: 55.1 }, () => 0),
      next({ kind: 'throttled', attempt: 1, ageSeconds: 0 }, () => 0),
    ];
    expect(conditions.map((verdict) => !verdict.again && verdict.condition)).toEqual([
      'None',
      'MaximumEventAgeInSeconds',
      'MaximumRetryAttempts',
    ]);
  });
});
