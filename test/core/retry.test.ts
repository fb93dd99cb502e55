import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRetries, type RetryPolicySpec } from '../../lambdas/core/retry.ts';

const random = () => Math.random();

/** Every delay of a message that always fails, with `dice` for chance. */
function schedule(policy: RetryPolicySpec, dice = random): number[] {
  const retries = compileRetries(policy);
  const delays: number[] = [];
  for (;;) {
    const ageSeconds = delays.reduce((sum, delay) => sum + delay, 0);
    const verdict = retries.next({ kind: 'unavailable', attempt: delays.length, ageSeconds }, dice);
    if (!verdict.again) return delays;
    delays.push(verdict.delaySeconds);
  }
}

describe('retry policies (D18, F31)', () => {
  it('backoff: three retries, each after a random 10 to 20 seconds', () => {
    const seen = new Set<number>();
    for (let run = 0; run < 100_000; run++) {
      const delays = schedule('backoff');
      expect(delays).toHaveLength(3);
      for (const delay of delays) seen.add(delay);
    }
    expect([...seen].sort()).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
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
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), fc.option(fc.integer({ min: 1, max: 10_000 })), (steps, age) => {
        const delays = schedule({
          steps,
          on: ['unavailable'],
          ...(age !== null && { maximumAgeSeconds: age }),
        });
        const bounds = steps.flatMap(({ times, ...bound }) => Array.from({ length: times }, () => bound));
        delays.forEach((delay, i) => {
          expect(delay).toBeGreaterThanOrEqual(bounds[i]!.minSeconds);
          expect(delay).toBeLessThanOrEqual(bounds[i]!.maxSeconds);
        });
        if (age === null) expect(delays).toHaveLength(bounds.length);
        else expect(delays.reduce((sum, delay) => sum + delay, 0)).toBeLessThanOrEqual(age);
      }),
    );
  });

  it('tells why retries ended', () => {
    const { next } = compileRetries({
      steps: [{ times: 1, minSeconds: 5, maxSeconds: 5 }],
      on: ['throttled'],
      maximumAgeSeconds: 60,
    });
    const conditions = [
      next({ kind: 'timeout', attempt: 0, ageSeconds: 0 }, random),
      next({ kind: 'throttled', attempt: 0, ageSeconds: 55.1 }, random),
      next({ kind: 'throttled', attempt: 1, ageSeconds: 0 }, random),
    ];
    expect(conditions.map((verdict) => !verdict.again && verdict.condition)).toEqual([
      'None',
      'MaximumEventAgeInSeconds',
      'MaximumRetryAttempts',
    ]);
  });
});
