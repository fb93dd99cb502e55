import { describe, expect, it } from 'vitest';
import { NeverRetry, RetryLater, StopTask } from '../../lambdas/core/errors.ts';
import { rotatingAuthorities } from '../../lambdas/deliver/ca-rotation.ts';
import { failure } from '../../lambdas/deliver/outcome.ts';
import type { Outcome } from '../../lambdas/deliver/sink.ts';
import { systemClock } from '../../lambdas/net/clock.ts';
import { minute } from '../contract/sink.ts';

const untrusted = () => new StopTask('unable to verify', { cause: new Error('TLS') });
const textOf = (outcome: Outcome) =>
  'error' in outcome ? `${outcome.status}: ${outcome.error.message}` : outcome.status;

/** A sink for servers of one authority; requests are texts. */
function scripted(secrets: (string | Error)[]) {
  let nowMs = 0;
  const given = { reads: 0, authority: 'new', closed: [] as string[], sends: [] as string[], slow: Promise.resolve() };
  const outcomeOf = (text: string, ca: string): Outcome => {
    if (text === 'bad') return failure(new NeverRetry('REJECTED', 'bad'));
    if (text === 'later') return failure(new RetryLater('later'));
    return ca === given.authority ? { status: 'delivered' } : failure(untrusted());
  };
  const sink = rotatingAuthorities<string>({
    async readAuthorities() {
      given.reads++;
      const secret = secrets.length > 1 ? secrets.shift()! : secrets[0]!;
      if (typeof secret !== 'string') throw secret;
      return secret;
    },
    open: (ca) => ({
      async deliver(texts, { order }) {
        given.sends.push(`${ca}: ${texts}`);
        if (texts.includes('slow')) await given.slow;
        const outcomes = texts.map((text) => outcomeOf(text, ca));
        if (order === undefined) return outcomes;
        const owed = outcomes.findIndex(({ status }) => status === 'stop' || status === 'retry');
        return outcomes.map((outcome, i) => (owed < 0 || i <= owed ? outcome : { status: 'unsent' }));
      },
      async testConnectivity() {
        if (ca !== given.authority) throw untrusted();
        return 'connected';
      },
      close: () => void given.closed.push(ca),
    }),
    isTlsFailure: (error) => (error as Error | undefined)?.message === 'TLS',
    clock: { ...systemClock, wallMs: () => 0, monotonicMs: () => nowMs },
  });
  const send = async (...texts: string[]) => (await sink.deliver(texts, minute)).map(textOf);
  const sendInOrder = async (...texts: string[]) =>
    (await sink.deliver(texts, { ...minute, order: 'strict' })).map(textOf);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { sink, given, send, sendInOrder, pass };
}

describe('a sink whose certificate authorities are rotated', () => {
  it('sends requests again that a TLS failure stopped, and no others', async () => {
    const { given, send } = scripted(['old', 'new']);
    expect(await send('a', 'bad', 'b')).toEqual(['delivered', 'never: bad', 'delivered']);
    expect(given).toMatchObject({ sends: ['old: a,bad,b', 'new: a,b'], closed: ['old'], reads: 2 });
  });

  it('sends requests that were held back, unless another failure holds them back, too', async () => {
    const trusted = scripted(['old', 'new']);
    expect(await trusted.sendInOrder('a', 'b', 'c')).toEqual(['delivered', 'delivered', 'delivered']);
    expect(trusted.given.sends).toEqual(['old: a,b,c', 'new: a,b,c']);
    const owing = scripted(['old', 'new']);
    expect(await owing.sendInOrder('later', 'a')).toEqual(['retry: later', 'unsent']);
    expect(owing.given.sends).toEqual(['old: later,a']);
  });

  it('lets a delivery in flight end with the old sink', async () => {
    const { sink, given, send } = scripted(['old', 'new']);
    let end = () => {};
    given.slow = new Promise((resolve) => {
      end = resolve;
    });
    const slow = send('slow');
    await sink.testConnectivity();
    expect(given.closed).toEqual([]);
    end();
    expect(await slow).toEqual(['delivered']);
    expect(given).toMatchObject({ closed: ['old'], sends: ['old: slow', 'new: slow'], reads: 2 });
  });

  it('reads the authorities once for concurrent failures, and at most once a second', async () => {
    const { sink, given, send, pass } = scripted(['old']);
    expect(await Promise.all([send('a'), send('b')])).toEqual([['stop: unable to verify'], ['stop: unable to verify']]);
    await expect(sink.testConnectivity()).rejects.toThrow('unable to verify');
    expect(given.reads).toBe(2);
    pass(1_000);
    given.authority = 'old';
    expect(await send('a')).toEqual(['delivered']);
    given.authority = 'new';
    await expect(sink.testConnectivity()).rejects.toThrow('unable to verify');
    expect(given).toMatchObject({ reads: 3, closed: [] });
  });

  it('reports why it could not read the authorities again, and keeps those that it had', async () => {
    const { sink, given, send, pass } = scripted(['old', new RetryLater('throttled'), 'new']);
    expect(await send('a', 'bad')).toEqual(['retry: throttled', 'never: bad']);
    pass(1_000);
    expect(await sink.testConnectivity()).toBe('connected');
    expect(given.closed).toEqual(['old']);
    await sink.close();
    expect(given.closed).toEqual(['old', 'new']);
  });

  it('throws while the authorities cannot be read for the first time', async () => {
    const { given, send } = scripted([new RetryLater('throttled'), 'new']);
    await expect(send('a')).rejects.toThrow('throttled');
    expect(await send('a')).toEqual(['delivered']);
    expect(given.reads).toBe(2);
  });
});
