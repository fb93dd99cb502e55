import { describe, expect, it } from 'vitest';
import { systemClock } from '../../lambdas/net/clock.ts';
import { type CredentialsSource, credentialsCache } from '../../lambdas/net/credentials.ts';

const MINUTE_MS = 60_000;

function cacheOf(source: CredentialsSource<string>) {
  let nowMs = 1_000_000;
  const cache = credentialsCache(source, { ...systemClock, wallMs: () => nowMs, monotonicMs: () => nowMs });
  return {
    currentAfter: async (ms: number) => {
      nowMs += ms;
      return cache.current();
    },
    /** Whether there are new credentials after a server refused these. */
    renewed: (refused: string) => cache.renew((credentials) => credentials === refused),
  };
}

describe('the credentials cache', () => {
  it('reads credentials once for many requests, and again after five minutes', async () => {
    let reads = 0;
    const { currentAfter } = cacheOf(() => `${++reads}`);
    expect(await Promise.all([currentAfter(0), currentAfter(0), currentAfter(MINUTE_MS)])).toEqual(['1', '1', '1']);
    expect(await currentAfter(5 * MINUTE_MS)).toBe('2');
    expect(await currentAfter(MINUTE_MS)).toBe('2');
  });

  it('keeps old credentials in use while new ones cannot be read', async () => {
    let reads = 0;
    const { currentAfter } = cacheOf(() => {
      if (++reads > 1) throw new Error('away');
      return 'old';
    });
    expect(await currentAfter(0)).toBe('old');
    expect(await Promise.all([currentAfter(9 * MINUTE_MS), currentAfter(0)])).toEqual(['old', 'old']);
    expect(reads).toBe(2);
  });

  it('asks for refused credentials to be refreshed, at most once a second', async () => {
    const reads: boolean[] = [];
    const { currentAfter, renewed } = cacheOf(({ refresh }) => {
      reads.push(refresh);
      return reads.length > 2 ? 'new' : 'old';
    });
    await currentAfter(0);
    expect(await Promise.all([renewed('old'), renewed('old')])).toEqual([false, false]);
    await currentAfter(1_000);
    expect(await Promise.all([renewed('old'), renewed('old')])).toEqual([true, true]);
    expect(reads).toEqual([false, true, true]);
  });

  it('reads again after a first read failed', async () => {
    let reads = 0;
    const { currentAfter } = cacheOf(() => {
      if (++reads === 1) throw new Error('away');
      return 'new';
    });
    await expect(currentAfter(0)).rejects.toThrow('away');
    expect(await currentAfter(0)).toBe('new');
  });
});
