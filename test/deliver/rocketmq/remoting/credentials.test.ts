import { describe, expect, it } from 'vitest';
import { type CredentialsSource, openSigner } from '../../../../lambdas/deliver/rocketmq/remoting/credentials.ts';

const MINUTE_MS = 60_000;
const request = { code: 310, fields: { b: 'T' } };

function signer(source: CredentialsSource) {
  let nowMs = 1_000_000;
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const { sign } = openSigner(source, clock);
  return {
    keyAfter: async (ms: number) => {
      nowMs += ms;
      return (await sign(request)).fields['AccessKey'];
    },
  };
}

describe('credentials', () => {
  it('are asked for once for many requests, and again when they are old', async () => {
    let asked = 0;
    const { keyAfter } = signer(() => ({ accessKey: `${++asked}`, secretKey: 's' }));
    expect(await Promise.all([keyAfter(0), keyAfter(0), keyAfter(MINUTE_MS)])).toEqual(['1', '1', '1']);
    expect(await keyAfter(5 * MINUTE_MS)).toBe('2');
    expect(await keyAfter(MINUTE_MS)).toBe('2');
  });

  it('do for longer when there are no others to be had', async () => {
    let asked = 0;
    const { keyAfter } = signer(() => {
      if (++asked > 1) throw new Error('away');
      return { accessKey: 'old', secretKey: 's' };
    });
    expect(await keyAfter(0)).toBe('old');
    expect(await Promise.all([keyAfter(9 * MINUTE_MS), keyAfter(0)])).toEqual(['old', 'old']);
    expect(asked).toBe(2);
  });
});
