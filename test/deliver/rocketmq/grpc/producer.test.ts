import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { InvalidOptionError } from '../../../../lambdas/core/errors.ts';
import { type GrpcProducerOptions, openGrpcProducer } from '../../../../lambdas/deliver/rocketmq/grpc/producer.ts';
import type { Message } from '../../../../lambdas/deliver/rocketmq/message.ts';
import type { Outcome } from '../../../../lambdas/deliver/sink.ts';
import { systemClock } from '../../../../lambdas/net/clock.ts';
import { runs } from '../../../support/property-runs.ts';
import { sendWith } from '../../../support/rocketmq-send.ts';
import { type ProxyOptions, type ReceivedMessage, type ScriptedProxy, scriptedProxy } from './scripted-proxy.ts';

const OK = 20_000;
const BUSY = 42_900;
const UNAUTHORIZED = 40_100;
const ILLEGAL = 40_007;
const WRONG_TYPE = 40_014;
const NEVER = new Promise<number>(() => {});

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function proxy(
  react: (message: ReceivedMessage) => number | Promise<number>,
  over?: ProxyOptions,
): Promise<ScriptedProxy> {
  const started = await scriptedProxy(react, over);
  open.push(started);
  return started;
}

function producer(endpoints: readonly string[], over: Partial<GrpcProducerOptions> = {}) {
  const opened = openGrpcProducer({ endpoints, timeoutMs: 10_000, ...over });
  open.push(opened);
  return opened;
}

/** A clock whose wall time the test sets. */
function slowClock() {
  const start = Date.now();
  const clock = { ...systemClock, passedMs: 0, wallMs: () => start + clock.passedMs };
  return clock;
}

const message = (text: string, group?: string): Message => ({
  body: Buffer.from(text),
  ...(group !== undefined && { group }),
});
const texts = (count: number) => Array.from({ length: count }, (_, i) => message(`${i}`));
const verdicts = (outcomes: readonly Outcome[]) =>
  outcomes.map((outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status));
const clientsOf = ({ sends }: ScriptedProxy) => new Set(sends.map(({ clientId }) => clientId));

describe('sends to a proxy', () => {
  it('run concurrently up to maxInFlight', async () => {
    let now = 0;
    let most = 0;
    const { endpoint } = await proxy(async () => {
      most = Math.max(most, ++now);
      for (let n = 0; n < 5; n++) await turn();
      now--;
      return OK;
    });
    await sendWith(producer([endpoint], { maxInFlight: 8 }), 'T', texts(100));
    expect(most).toBe(8);
  });

  it('are left unsent once the time has run out', async () => {
    const { endpoint, sends } = await proxy(() => OK);
    let left = 3;
    const remainingMs = () => (left-- > 0 ? 60_000 : 0);
    const outcomes = await sendWith(producer([endpoint], { maxInFlight: 1 }), 'T', texts(5), { remainingMs });
    expect(verdicts(outcomes)).toEqual(['delivered', 'delivered', 'delivered', 'unsent', 'unsent']);
    expect(sends.length).toBe(3);
  });

  it('of a group are in order, and none follows one that failed and may be retried; other groups go on', async () => {
    const given = fc.array(
      fc.record({ group: fc.constantFrom('a', 'b', undefined), code: fc.constantFrom(OK, OK, OK, BUSY, ILLEGAL) }),
      { maxLength: 20 },
    );
    let codes: readonly number[] = [];
    const { endpoint, sends } = await proxy(async ({ body }) => {
      await turn();
      return codes[Number(body)]!;
    });
    const opened = producer([endpoint]);
    await fc.assert(
      fc.asyncProperty(given, async (messages) => {
        codes = messages.map(({ code }) => code);
        const from = sends.length;
        const outcomes = await sendWith(
          opened,
          'T',
          messages.map(({ group }, i) => message(`${i}`, group)),
        );
        const received = sends.slice(from);
        const held = new Set<string>();
        const wanted = messages.map(({ group, code }) => {
          if (group !== undefined && held.has(group)) return 'unsent';
          if (group !== undefined && code === BUSY) held.add(group);
          return code === OK ? 'delivered' : code === BUSY ? 'retry' : 'REJECTED';
        });
        expect(verdicts(outcomes)).toEqual(wanted);
        expect(received.map(({ body }) => Number(body)).sort((x, y) => x - y)).toEqual(
          wanted.flatMap((status, i) => (status === 'unsent' ? [] : [i])),
        );
        for (const name of ['a', 'b']) {
          const places = received.filter(({ group }) => group === name).map(({ body }) => Number(body));
          expect(places).toEqual(places.toSorted((x, y) => x - y));
        }
      }),
      { numRuns: runs(50) },
    );
  });

  it('that time out are retried, and may be stored', async () => {
    const { endpoint } = await proxy(() => NEVER);
    const opened = producer([endpoint], { timeoutMs: 60_000 });
    const [outcome] = await sendWith(opened, 'T', [message('a')], { remainingMs: () => 300 });
    expect(outcome).toMatchObject({
      status: 'retry',
      error: { kind: 'timeout', message: expect.stringContaining('(it may be stored)') },
    });
  });

  it('use the writable queue, whichever it is, and are retried while there is none', async () => {
    let writable = [false, false];
    const { endpoint } = await proxy(() => OK, { writable: () => writable });
    const opened = producer([endpoint]);
    const [outcome] = await sendWith(opened, 'T', [message('a')]);
    const none = /no queue of topic T is writable/;
    expect(outcome).toMatchObject({ status: 'retry', error: { message: expect.stringMatching(none) } });
    await expect(opened.testConnectivity('T')).rejects.toThrow(none);
    writable = [false, true];
    expect(verdicts(await sendWith(opened, 'T', [message('a'), message('b', 'g')]))).toEqual([
      'delivered',
      'delivered',
    ]);
    expect(await opened.testConnectivity('T')).toMatchObject({ brokers: [{ name: 'broker-a' }], away: [] });
  });

  it.each([
    [50_002, 'HA_NOT_AVAILABLE'],
    [50_401, 'MASTER_PERSISTENCE_TIMEOUT'],
    [50_402, 'SLAVE_PERSISTENCE_TIMEOUT'],
  ])('are delivered when the master has stored them and could not flush or replicate them: %i, %s', async (code) => {
    const { endpoint, sends } = await proxy(() => code);
    const outcomes = await sendWith(producer([endpoint]), 'T', texts(2));
    const receipts = outcomes.map((outcome) => (outcome as { receipt?: string }).receipt);
    expect(verdicts(outcomes)).toEqual(['delivered', 'delivered']);
    expect(receipts.toSorted()).toEqual(sends.map(({ messageId }) => messageId).toSorted());
    expect(receipts).not.toContain('');
  });

  it.each([50_001, 50_400, 50_403])('are retried after other failures of the broker: %i', async (code) => {
    const { endpoint } = await proxy(() => code);
    expect(verdicts(await sendWith(producer([endpoint]), 'T', [message('a')]))).toEqual(['retry']);
  });

  it('leave it to the proxy to check message types', async () => {
    const { endpoint } = await proxy(({ group }) => (group === 'other' ? WRONG_TYPE : OK), { types: [] });
    const given = [message('a'), message('b', 'g'), message('c', 'other')];
    const outcomes = await sendWith(producer([endpoint]), 'T', given);
    expect(verdicts(outcomes)).toEqual(['delivered', 'delivered', 'stop']);
  });

  it('without a connection are reported as not stored', async () => {
    const { endpoint, close } = await proxy(() => OK);
    close();
    const [outcome] = await sendWith(producer([endpoint]), 'T', [message('a')]);
    expect(outcome).toMatchObject({ status: 'retry', error: { kind: 'unavailable' } });
    expect((outcome as { error: Error }).error.message).not.toContain('may be stored');
  });
});

describe('the client of a proxy', () => {
  it('is replaced after three calls in a row without an answer, at another proxy', async () => {
    const alive = await proxy(() => OK);
    const clock = slowClock();
    const opened = producer(['127.0.0.1:1', alive.endpoint], { clock, maxInFlight: 1 });
    const send = async () => verdicts(await sendWith(opened, 'T', [message('a')]))[0];
    // The first proxy is random; an idle client is replaced by one of the next proxy.
    while ((await send()) === 'delivered') clock.passedMs += 60_000;
    clock.passedMs += 2_000;
    expect([await send(), await send(), await send()]).toEqual(['retry', 'retry', 'delivered']);
  });

  it('is replaced when it was idle for a minute, and after five minutes; its running calls end first', async () => {
    let answer = (_: number) => {};
    const held = new Promise<number>((resolve) => {
      answer = resolve;
    });
    const server = await proxy(({ body }) => (body === 'held' ? held : OK));
    const clock = slowClock();
    const opened = producer([server.endpoint], { clock });
    const idle = async (ms: number) => {
      clock.passedMs += ms;
      await sendWith(opened, 'T', [message('a')]);
      return clientsOf(server).size;
    };
    expect([await idle(0), await idle(59_000), await idle(60_000)]).toEqual([1, 1, 2]);
    const waiting = sendWith(opened, 'T', [message('held')]);
    await vi.waitUntil(() => server.sends.some(({ body }) => body === 'held'));
    expect([await idle(61_000), await idle(240_000)]).toEqual([2, 3]);
    answer(OK);
    expect(verdicts(await waiting)).toEqual(['delivered']);
    expect(new Set(server.sends.map(({ peer }) => peer)).size).toBe(3);
  });

  it('is replaced when a refused secret has been rotated, which is read once for all concurrent sends', async () => {
    const server = await proxy(({ accessKey }) => (accessKey === 'new' ? OK : UNAUTHORIZED));
    const reads: boolean[] = [];
    const credentials = ({ refresh }: { refresh: boolean }) => {
      reads.push(refresh);
      return { accessKey: refresh ? 'new' : 'old', secretKey: 's' };
    };
    const outcomes = await sendWith(producer([server.endpoint], { credentials }), 'T', texts(40));
    expect(new Set(verdicts(outcomes))).toEqual(new Set(['delivered']));
    expect(reads).toEqual([false, true]);
  });

  it('reads a secret that stays refused at most once a second', async () => {
    const server = await proxy(() => UNAUTHORIZED);
    let reads = 0;
    const credentials = () => ({ accessKey: 'old', secretKey: `${reads++ > 1000}` });
    const outcomes = await sendWith(producer([server.endpoint], { credentials }), 'T', texts(40));
    expect(new Set(verdicts(outcomes))).toEqual(new Set(['stop']));
    expect(reads).toBe(2);
  });

  it('has an id, and message ids, that no other client has', async () => {
    const server = await proxy(() => OK);
    const [first] = await sendWith(producer([server.endpoint]), 'T', [message('a')]);
    const [second] = await sendWith(producer([server.endpoint]), 'T', [message('a')]);
    expect(clientsOf(server).size).toBe(2);
    const ids = [first, second].map((outcome) => (outcome as { receipt: string }).receipt);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^01[0-9A-F]{32}$/);
  });

  it('takes no IPv6 address, no URL, and no host without a port', () => {
    for (const endpoint of ['[::1]:8081', 'http://10.0.0.5:8081', '10.0.0.5'])
      expect(() => openGrpcProducer({ endpoints: [endpoint] })).toThrow(InvalidOptionError);
    expect(() => openGrpcProducer({ endpoints: [] })).toThrow(/at least one/);
  });
});
