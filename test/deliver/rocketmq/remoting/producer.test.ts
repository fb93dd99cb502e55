import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../../../lambdas/core/errors.ts';
import { openBrokerBackoff } from '../../../../lambdas/deliver/rocketmq/broker-backoff.ts';
import type { Message } from '../../../../lambdas/deliver/rocketmq/message.ts';
import type { Producer } from '../../../../lambdas/deliver/rocketmq/producer.ts';
import { openNameServers } from '../../../../lambdas/deliver/rocketmq/remoting/name-servers.ts';
import type { ProducerOptions } from '../../../../lambdas/deliver/rocketmq/remoting/options.ts';
import { openProducer } from '../../../../lambdas/deliver/rocketmq/remoting/producer.ts';
import type { Sent } from '../../../../lambdas/deliver/rocketmq/remoting/stored.ts';
import type { Outcome } from '../../../../lambdas/deliver/sink.ts';
import { type Clock, systemClock } from '../../../../lambdas/net/clock.ts';
import { runs } from '../../../support/property-runs.ts';
import { sendWith } from '../../../support/rocketmq-send.ts';
import {
  clusterOf,
  encodeAnswer,
  type Reaction,
  type Received,
  routeTo,
  type ScriptedServer,
  scriptedServer,
} from './scripted-server.ts';

const ROUTE = 105;
const CLUSTER = 106;
const SEND = 310;
const BATCH = 320;
const STORED = { fields: { queueId: '0', queueOffset: '7' } };
const MISSING = { code: 17, remark: 'No topic route info' };

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function server(react: (received: Received) => Reaction | Promise<Reaction>): Promise<ScriptedServer> {
  const started = await scriptedServer(react);
  open.push(started);
  return started;
}

/** Skips the pauses between attempts. */
const hastyClock: Clock = { ...systemClock, sleep: async () => {} };

function producer(options: ProducerOptions): Producer<Sent> {
  const opened = openProducer({ clock: hastyClock, ...options });
  open.push(opened);
  return opened;
}

/** A scripted broker, its name server, and a producer for them. */
async function one(react: (received: Received) => Reaction | Promise<Reaction>, over: Partial<ProducerOptions> = {}) {
  const broker = await server(react);
  const nameServer = await server(({ code }) =>
    code === CLUSTER ? clusterOf({ a: broker.address }) : routeTo({ a: broker.address }),
  );
  return { broker, nameServer, producer: producer({ nameServers: [nameServer.address], ...over }) };
}

const byNumber = (a: number, b: number) => a - b;
const message = (text: string, over: Partial<Message> = {}): Message => ({ body: Buffer.from(text), ...over });
const verdicts = (outcomes: readonly (Sent | Outcome)[]) =>
  outcomes.map((outcome) => (outcome.status === 'never' ? outcome.error.code : outcome.status));
const reason = (outcome: Sent | Outcome) => ('error' in outcome ? outcome.error.message : '');

describe('a broker’s answer', () => {
  // No real server gives all of these on demand; the remarks are those of 4.9.4 and 5.5.0.
  it.each([
    ['delivered', 0, ''],
    ['delivered', 10, ''],
    ['delivered', 11, ''],
    ['delivered', 12, ''],
    ['retry', 1, 'a store that is in trouble'],
    ['retry', 2, '[PCBUSY_CLEAN_QUEUE]broker busy, start flow control for a while'],
    ['retry', 14, 'service not available now. It may be caused by one of the following reasons'],
    ['retry', 4_711, 'a code of the future'],
    ['retry', 1, 'request queueId[9] is illegal, TopicConfig [topicName=T]'],
    ['retry', 29, 'request queueId[9] is illegal, TopicConfig [topicName=T]'],
    ['retry', 16, 'the broker[10.0.0.5] sending message is forbidden'],
    ['stop', 3, ' request type 310 not supported'],
    ['stop', 1, 'org.apache.rocketmq.acl.common.AclException: Check signature failed for accessKey=x'],
    ['stop', 1, 'org.apache.rocketmq.acl.common.AclException: Check signature failed for accessKey=denys'],
    ['stop', 16, 'User:x is not found.'],
    ['stop', 16, 'User:topic-writer is not found.'],
    ['INVALID_TARGET', 1, 'org.apache.rocketmq.acl.common.AclException: No default permission for topic:T'],
    ['INVALID_TARGET', 16, 'User:x has no permission to access Topic:T from 10.0.0.1, no matched policies.'],
    ['INVALID_TARGET', 16, 'Sending message to topic[T] is forbidden.'],
    ['INVALID_TARGET', 17, 'topic[T] not exist, apply first please!'],
    ['INVALID_TARGET', 29, 'The specified topic: a.b, contains illegal characters'],
    ['REJECTED', 1, 'java.lang.NullPointerException'],
    ['REJECTED', 13, 'timer message illegal, the delay time should not be bigger than the max delay'],
    ['MESSAGE_TOO_LARGE', 13, 'the message is illegal, maybe msg body or properties length not matched.'],
    ['MESSAGE_TOO_LARGE', 1, 'java.lang.RuntimeException: message body size exceeded'],
  ])('is %s for code %i: %s', async (wanted, code, remark) => {
    const { producer } = await one(() => ({ ...STORED, code, remark }), { timeoutMs: 10_000 });
    const [rendered] = await sendWith(producer, 'T', [message('x')], { isTopicRendered: true });
    expect(verdicts([rendered!])).toEqual([wanted]);
    if (wanted !== 'delivered') expect(reason(rendered!)).toContain(`code ${code}: ${remark.trim()}`);
    if (code >= 10 && code <= 12) expect(rendered).toHaveProperty('warning');
    // If the task itself names the topic, another message cannot have a right one.
    if (wanted === 'INVALID_TARGET') expect(verdicts(await sendWith(producer, 'T', [message('x')]))).toEqual(['stop']);
  });

  it('that it is busy makes the producer try another broker, and back off from this one', async () => {
    const busy = await server(() => ({ code: 2, remark: 'busy' }));
    const free = await server(() => STORED);
    const nameServer = await server(() => routeTo({ busy: busy.address, free: free.address }));
    const sender = producer({ nameServers: [nameServer.address] });
    for (let i = 0; i < 6; i++) expect(verdicts(await sendWith(sender, 'T', [message(`${i}`)]))).toEqual(['delivered']);
    expect(busy.received.length).toBeLessThanOrEqual(1);
    await free.close();
    expect((await sendWith(sender, 'T', [message('a')]))[0]).toHaveProperty('status', 'retry');
    expect(free.received.length).toBe(6);
  });

  it('that may differ next time makes the producer send again, after longer and longer pauses', async () => {
    const pausesMs: number[] = [];
    const clock = { ...systemClock, sleep: async (ms: number) => void pausesMs.push(ms) };
    const { broker, producer } = await one(() => ({ code: 2, remark: 'busy' }), { clock });
    expect(verdicts(await sendWith(producer, 'T', [message('a')]))).toEqual(['retry']);
    expect(pausesMs).toHaveLength(broker.received.length - 1);
    expect(pausesMs.length).toBeGreaterThanOrEqual(2);
    expect(pausesMs).toEqual(pausesMs.toSorted(byNumber));
    expect(pausesMs[0]).toBeGreaterThan(0);
  });

  it.each([
    [16, 'check signature failed.'],
    [16, 'User:topic-writer is not found.'],
    [1, 'org.apache.rocketmq.acl.common.AclException: No acl config for denys'],
  ])('of code %i, %s, makes the producer read rotated credentials, once', async (code, remark) => {
    const react = ({ fields }: Received) => (fields['AccessKey'] === 'new' ? STORED : { code, remark });
    const refreshes: boolean[] = [];
    const credentials = ({ refresh }: { refresh: boolean }) => {
      refreshes.push(refresh);
      return { accessKey: refresh ? 'new' : 'old', secretKey: 's' };
    };
    const { producer } = await one(react, { credentials, maxBatchMessages: 1 });
    const outcomes = await sendWith(producer, 'T', [message('a'), message('b'), message('c')]);
    expect(verdicts(outcomes)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(refreshes).toEqual([false, true]);
  });
});

describe('batches', () => {
  it('are halved until the broker accepts them, and later ones keep to its limit', async () => {
    const limit = 1_000;
    const sizes: number[] = [];
    const { producer } = await one(({ body }) => {
      sizes.push(body.length);
      if (body.length <= limit) return STORED;
      return { code: 13, remark: `the message is illegal, msg body length limit ${limit}B` };
    });
    const messages = Array.from({ length: 40 }, (_, i) => message('x'.repeat(i === 9 ? 1_001 : 50)));
    const expected = messages.map((_, i) => (i === 9 ? 'MESSAGE_TOO_LARGE' : 'delivered'));
    expect(verdicts(await sendWith(producer, 'T', messages))).toEqual(expected);
    sizes.length = 0;
    expect(verdicts(await sendWith(producer, 'T', messages))).toEqual(expected);
    expect(sizes.filter((size) => size > limit)).toEqual([1_001]);
  });

  it('give each message its outcome, for any messages, limits and failures', async () => {
    // The broker refuses requests with an x in a body.
    const { producer: shared, nameServer } = await one(({ body }) =>
      body.includes('x') ? { code: 13, remark: 'the message is illegal' } : STORED,
    );
    shared.close();
    const bodies = fc.array(fc.constantFrom('a', 'x', ''), { maxLength: 30 });
    const groups = fc.constantFrom(undefined, 'g', 'h');
    await fc.assert(
      fc.asyncProperty(bodies, fc.integer({ min: 1, max: 9 }), groups, async (texts, maxBatchMessages, group) => {
        const producer = openProducer({ nameServers: [nameServer.address], maxBatchMessages });
        const outcomes = await sendWith(
          producer,
          'T',
          texts.map((text) => message(text, { group })),
        );
        producer.close();
        const wanted = { a: 'delivered', x: 'MESSAGE_TOO_LARGE', '': 'REJECTED' };
        expect(verdicts(outcomes)).toEqual(texts.map((text) => wanted[text as 'a']));
      }),
      { numRuns: runs(30) },
    );
  });

  it('of a group end at a message that was not stored; other groups go on', async () => {
    const { broker, producer } = await one(
      ({ body }) => (body.includes('bad') ? { code: 2, remark: 'busy' } : STORED),
      { maxBatchMessages: 1 },
    );
    const outcomes = await sendWith(producer, 'T', [
      message('1', { group: 'g' }),
      message('bad', { group: 'g' }),
      message('2', { group: 'h' }),
      message('3', { group: 'g' }),
    ]);
    expect(verdicts(outcomes)).toEqual(['delivered', 'retry', 'delivered', 'unsent']);
    expect(broker.received.map(({ body }) => `${body}`)).not.toContain('3');
  });

  it('of a group, or of a topic in strict order, store nothing behind a message that is owed, however they are split', async () => {
    const kinds = fc.record({
      text: fc.constantFrom('stored', 'stored', 'stored', 'refused'),
      group: fc.constantFrom(undefined, 'g', 'h'),
      delayLevel: fc.constantFrom(undefined, undefined, undefined, 1),
    });
    const given = fc.array(kinds, { maxLength: 20 });
    let stored: number[] = [];
    let maxTaken = 1;
    const { producer: shared, nameServer } = await one(({ body }) => {
      const messages = [...`${body}`.matchAll(/#(\d+) (stored|refused)/g)];
      if (messages.length > maxTaken) return { code: 13, remark: 'the message is illegal' };
      if (messages.some(([, , text]) => text === 'refused')) return { code: 16, remark: 'User:x is not found.' };
      stored.push(...messages.map(([, place]) => Number(place)));
      return STORED;
    });
    shared.close();
    await fc.assert(
      fc.asyncProperty(given, fc.boolean(), fc.integer({ min: 1, max: 9 }), async (messages, isOrdered, taken) => {
        stored = [];
        maxTaken = taken;
        const producer = openProducer({ nameServers: [nameServer.address], maxBatchBytes: taken * 150 });
        const outcomes = verdicts(
          await sendWith(
            producer,
            'T',
            messages.map(({ text, group, delayLevel }, i) => message(`#${i} ${text}`, { group, delayLevel })),
            { order: isOrdered ? 'strict' : undefined },
          ),
        );
        producer.close();
        expect(outcomes.flatMap((status, i) => (status === 'delivered' ? [i] : []))).toEqual(stored.toSorted(byNumber));
        for (const line of isOrdered ? ['g', 'h', undefined] : ['g', 'h']) {
          const isIn = (i: number) => messages[i]!.group === line;
          const found = outcomes.filter((_, i) => isIn(i));
          const first = found.findIndex((status) => status !== 'delivered');
          expect(first < 0 ? [] : found.slice(first)).not.toContain('delivered');
          expect(stored.filter(isIn)).toEqual(stored.filter(isIn).toSorted(byNumber));
        }
      }),
      { numRuns: runs(50) },
    );
  });
});

describe('connections', () => {
  it('match answers to requests, in whatever order they come', async () => {
    const held: (() => void)[] = [];
    const { producer } = await one(
      async ({ body }) => {
        await new Promise<void>((resolve) => {
          held.push(resolve);
          if (held.length === 4) for (const release of held.splice(0).reverse()) release();
        });
        return { fields: { queueId: '0', queueOffset: `${body}` } };
      },
      { maxBatchMessages: 1 },
    );
    const outcomes = await sendWith(
      producer,
      'T',
      ['4', '5', '6', '7'].map((text) => message(text)),
    );
    expect(outcomes.map((outcome) => outcome.status === 'delivered' && outcome.offset)).toEqual([4, 5, 6, 7]);
  });

  it('have at most maxInFlight requests in flight, and lose none', async () => {
    let now = 0;
    let most = 0;
    const { producer } = await one(
      async () => {
        most = Math.max(most, ++now);
        await sleep(1);
        now--;
        return STORED;
      },
      { maxBatchMessages: 1, maxInFlight: 3 },
    );
    // Two deliveries at a time, each with more requests than the limit.
    const sends = [
      sendWith(producer, 'T', Array(20).fill(message('a'))),
      sendWith(producer, 'T', Array(20).fill(message('b'))),
    ];
    expect((await Promise.all(sends)).flat().every(({ status }) => status === 'delivered')).toBe(true);
    expect(most).toBe(3);
  });

  it('that are lost are opened again at once, and requests in flight are sent again', async () => {
    const { broker, producer } = await one(({ connection }) => (connection === 1 ? 'cut' : STORED));
    expect(verdicts(await sendWith(producer, 'T', [message('a')]))).toEqual(['delivered']);
    expect(broker.received.map(({ connection }) => connection)).toEqual([1, 2]);
  });

  it('to addresses that left the route are closed', async () => {
    let skippedMs = 0;
    const clock = { ...hastyClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
    const sockets: Socket[] = [];
    const brokers: ScriptedServer[] = [];
    for (let i = 0; i < 5; i++) {
      brokers.push(await scriptedServer(() => STORED, { onConnection: (socket) => sockets.push(socket) }));
      open.push(brokers[i]!);
    }
    let at = 0;
    // Another topic stays on the first broker.
    const nameServer = await server(({ fields }) =>
      routeTo({ a: brokers[fields['topic'] === 'Stays' ? 0 : at]!.address }),
    );
    const sender = producer({ nameServers: [nameServer.address], clock });
    await sendWith(sender, 'Stays', [message('a')]);
    for (; at < brokers.length; at++) {
      expect(verdicts(await sendWith(sender, 'Moves', [message('a')]))).toEqual(['delivered']);
      skippedMs += 5_001;
    }
    const left = sockets.slice(1, -1);
    await Promise.all(left.map((socket) => socket.closed || once(socket, 'close')));
    expect(sockets.map((socket) => socket.destroyed)).toEqual([false, true, true, true, false]);
  });

  it('without an answer are not used again, and their messages may be stored', async () => {
    const { broker, producer } = await one(({ connection }) => (connection === 1 ? 'silence' : STORED), {
      timeoutMs: 200,
    });
    const [late] = await sendWith(producer, 'T', [message('a')]);
    expect(late).toMatchObject({ status: 'retry', error: { kind: 'timeout' } });
    expect(reason(late!)).toContain('it may be stored');
    expect(verdicts(await sendWith(producer, 'T', [message('b')]))).toEqual(['delivered']);
    expect(broker.received.map(({ connection }) => connection)).toEqual([1, 2]);
  });

  it.each([
    ['idle', (ms: number) => ({ wall: ms, monotonic: ms })],
    ['frozen with a monotonic clock that stood still', (ms: number) => ({ wall: ms, monotonic: 0 })],
    ['moved to a time before', (ms: number) => ({ wall: -ms, monotonic: 0 })],
  ])('of a sandbox that was %s are replaced', async (_, jump) => {
    let skipped = { wall: 0, monotonic: 0 };
    const clock = {
      ...hastyClock,
      wallMs: () => systemClock.wallMs() + skipped.wall,
      monotonicMs: () => systemClock.monotonicMs() + skipped.monotonic,
    };
    const { broker, producer } = await one(() => STORED, { clock });
    await sendWith(producer, 'T', [message('a')]);
    await sendWith(producer, 'T', [message('b')]);
    skipped = jump(61_000);
    expect(verdicts(await sendWith(producer, 'T', [message('c')]))).toEqual(['delivered']);
    expect(broker.received.map(({ connection }) => connection)).toEqual([1, 1, 2]);
  });

  const hostile: [string, Reaction | ((opaque: number) => Uint8Array)][] = [
    ['a frame of 2 GiB', Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 0)],
    ['a page of a web server', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a header that is no JSON', Buffer.from('\0\0\0\x06\0\0\0\x02{{')],
    ['a header in another serialization', Buffer.from('\0\0\0\x04\x01\0\0\0')],
    ['an answer to another request', (opaque) => encodeAnswer(opaque + 1, STORED)],
    ['a thousand answers for one', (opaque) => Buffer.concat(Array(1_000).fill(encodeAnswer(opaque, { code: 2 })))],
  ];
  it.each(hostile)('survive %s', async (_, bytes) => {
    const { producer } = await one(({ opaque }) => (typeof bytes === 'function' ? bytes(opaque) : bytes), {
      timeoutMs: 500,
    });
    expect(verdicts(await sendWith(producer, 'T', [message('a')]))).toEqual(['retry']);
  });

  it('survive any bytes', async () => {
    let bytes: Uint8Array = new Uint8Array();
    const { nameServer } = await one(() => bytes);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 4, maxLength: 64 }), async (random) => {
        bytes = random;
        const producer = openProducer({ nameServers: [nameServer.address], timeoutMs: 60 });
        expect(verdicts(await sendWith(producer, 'T', [message('a')]))).toEqual(['retry']);
        producer.close();
      }),
      { numRuns: runs(30) },
    );
  });

  it('hold back requests that their server does not read', async () => {
    const deaf = await scriptedServer(() => 'silence', { onConnection: (socket) => void socket.pause() });
    open.push(deaf);
    const nameServer = await server(() => routeTo({ a: deaf.address }));
    const sender = producer({ nameServers: [nameServer.address], timeoutMs: 300, maxBatchMessages: 1 });
    const large: Message = { body: Buffer.alloc(4_000_000) };
    const outcomes = await sendWith(sender, 'T', Array(16).fill(large));
    expect(new Set(verdicts(outcomes))).toEqual(new Set(['retry']));
    const left = outcomes.filter((outcome) => reason(outcome).includes('it may be stored'));
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThan(8);
  });

  it('end with the producer, and so do requests in flight', async () => {
    const { broker, producer } = await one(() => 'silence');
    const sending = sendWith(producer, 'T', [message('a')]);
    while (broker.received.length === 0) await sleep(1);
    producer.close();
    expect(verdicts(await sending)).toEqual(['retry']);
    expect(verdicts(await sendWith(producer, 'T', [message('b')]))).toEqual(['retry']);
  });
});

describe('name servers', () => {
  it('that are dead or mute do not delay answers of others', async () => {
    const broker = await server(() => STORED);
    const mute = await server(() => 'silence');
    const good = await server(() => routeTo({ a: broker.address }));
    // Each starts with a random name server; this time is too short to wait for a mute one.
    const senders = Array.from({ length: 8 }, () =>
      producer({ nameServers: ['127.0.0.1:1', mute.address, good.address], timeoutMs: 1_400 }),
    );
    const outcomes = await Promise.all(senders.map((sender) => sendWith(sender, 'T', [message('a')])));
    expect(verdicts(outcomes.flat())).toEqual(Array(8).fill('delivered'));
  });

  it('that failed are queried last while they are backed off', async () => {
    let nowMs = 0;
    const clock = { ...hastyClock, wallMs: () => nowMs, monotonicMs: () => nowMs };
    const queried: string[] = [];
    const pool = {
      async request(address: string) {
        queried.push(address);
        if (address === 'dead:1') throw new Error('dead');
        return { opaque: 1, code: 0, remark: '', fields: new Map(), body: Buffer.alloc(0), version: 0 };
      },
    };
    const backoff = openBrokerBackoff(30_000, clock);
    // The first of a new list is random, so lists are opened until the dead one was queried.
    const queryOnce = () => {
      const servers = openNameServers({ addresses: ['dead:1', 'good:1'], pool, backoff, clock });
      return servers.query({ code: ROUTE, fields: {} }, { leftMs: () => 1_000 });
    };
    const queryOften = async () => {
      for (let i = 0; i < 40; i++) await queryOnce();
      return queried.splice(0).filter((address) => address === 'dead:1').length;
    };
    expect(await queryOften()).toBe(1);
    expect(await queryOften()).toBe(0);
    nowMs += 30_001;
    expect(await queryOften()).toBe(1);
  });

  it('are queried again for a route older than its interval; if they are away, the old route is used', async () => {
    let skippedMs = 0;
    const clock = {
      ...hastyClock,
      wallMs: () => systemClock.wallMs() + skippedMs,
      monotonicMs: () => systemClock.monotonicMs() + skippedMs,
    };
    const { nameServer, producer } = await one(() => STORED, { clock });
    const send = async () => verdicts(await sendWith(producer, 'T', [message('a')]));
    await send();
    await send();
    expect(nameServer.received.length).toBe(1);
    skippedMs += 5_001;
    await send();
    expect(nameServer.received.length).toBe(2);
    await nameServer.close();
    skippedMs += 5_001;
    expect(await send()).toEqual(['delivered']);
  });

  it('that do not know a topic make it missing only while brokers are live', async () => {
    let brokers: Record<string, string> = {};
    const nameServer = await server(({ code }) => (code === CLUSTER ? clusterOf(brokers) : MISSING));
    const sender = producer({ nameServers: [nameServer.address], timeoutMs: 500 });
    const send = async (isTopicRendered: boolean) =>
      verdicts(await sendWith(sender, 'T', [message('a')], { isTopicRendered }));
    expect(await send(true)).toEqual(['retry']);
    brokers = { a: '127.0.0.1:1' };
    expect(await send(false)).toEqual(['stop']);
    expect(await send(true)).toEqual(['INVALID_TARGET']);
  });

  it('are not queried for a route by which a message would create the topic that it named, unless it may', async () => {
    const broker = await server(() => STORED);
    const nameServer = await server(({ code, fields }) =>
      code === CLUSTER
        ? clusterOf({ a: broker.address })
        : fields['topic'] === 'TBW102'
          ? routeTo({ a: broker.address })
          : MISSING,
    );
    const send = async (isTopicRendered: boolean, autoCreateTopics?: boolean) => {
      const sender = producer({
        nameServers: [nameServer.address],
        ...(autoCreateTopics !== undefined && { autoCreateTopics }),
      });
      const messages = [message('a'), message('b', { group: 'g' })];
      return [...new Set(verdicts(await sendWith(sender, 'T', messages, { isTopicRendered })))];
    };
    expect([await send(false), await send(true)]).toEqual([['delivered'], ['INVALID_TARGET']]);
    expect([await send(false, false), await send(true, true)]).toEqual([['stop'], ['delivered']]);
  });

  it('have topics of the names of brokers and clusters, which are no targets', async () => {
    const broker = await server(() => STORED);
    const nameServer = await server(() => routeTo({ 'broker-a': broker.address }));
    const sender = producer({ nameServers: [nameServer.address] });
    for (const topic of ['broker-a', 'cluster']) {
      expect(verdicts(await sendWith(sender, topic, [message('a')], { isTopicRendered: true }))).toEqual([
        'INVALID_TARGET',
      ]);
      expect(verdicts(await sendWith(sender, topic, [message('a')]))).toEqual(['stop']);
    }
    expect(broker.received).toEqual([]);
  });

  it('that forget a topic with its broker make its messages wait', async () => {
    const broker = await server(() => 'cut');
    let route: Reaction = routeTo({ a: broker.address });
    const nameServer = await server(({ code }) => (code === CLUSTER ? clusterOf({ b: '127.0.0.1:1' }) : route));
    const sender = producer({ nameServers: [nameServer.address], timeoutMs: 500 });
    await sendWith(sender, 'T', [message('a')]);
    route = MISSING;
    for (const topic of ['T', 'Other']) {
      const [outcome] = await sendWith(sender, topic, [message('a')], { isTopicRendered: true });
      expect(verdicts([outcome!])).toEqual(['retry']);
      expect(reason(outcome!)).toContain('no live broker holds topic');
    }
  });

  it('that miss a topic long after a broker has gone do not make its messages wait', async () => {
    let skippedMs = 0;
    const clock = { ...hastyClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
    const broker = await server(() => STORED);
    let route: Reaction = routeTo({ gone: broker.address });
    const nameServer = await server(({ code }) => (code === CLUSTER ? clusterOf({ b: '127.0.0.1:1' }) : route));
    const sender = producer({ nameServers: [nameServer.address], timeoutMs: 500, clock });
    await sendWith(sender, 'T', [message('a')]);
    route = MISSING;
    const send = async (topic: string) =>
      verdicts(await sendWith(sender, topic, [message('a')], { isTopicRendered: true }));
    expect(await send('Other')).toEqual(['retry']);
    skippedMs += 61_000;
    expect(await send('Another')).toEqual(['INVALID_TARGET']);
  });

  it('may disagree: it is enough that one knows the topic', async () => {
    const broker = await server(() => STORED);
    const ignorant = await server(() => MISSING);
    const good = await server(() => routeTo({ a: broker.address }));
    for (let i = 0; i < 4; i++) {
      const sender = producer({ nameServers: [ignorant.address, good.address] });
      expect(verdicts(await sendWith(sender, 'T', [message('a')]))).toEqual(['delivered']);
    }
  });
});

describe('a TLS handshake', () => {
  it.each<[string, string, (socket: Socket) => void]>([
    ['that the server hangs up stops the task: its port has no TLS', 'stop', (socket) => socket.end()],
    ['that is reset is retried: the server has died', 'retry', (socket) => socket.resetAndDestroy()],
  ])('%s (F23)', async (_, verdict, hangUp) => {
    const refusing = createServer((socket) => socket.on('error', () => {}).once('data', () => hangUp(socket)));
    open.push(refusing);
    await once(refusing.listen(0, '127.0.0.1'), 'listening');
    const nameServers = [`127.0.0.1:${(refusing.address() as AddressInfo).port}`];
    const sender = producer({ nameServers, tls: {}, timeoutMs: 1_000 });
    expect(verdicts(await sendWith(sender, 'T', [message('a')]))).toEqual([verdict]);
  });
});

describe('a producer', () => {
  it('prefixes topics and its group with the namespace', async () => {
    const { broker, nameServer, producer } = await one(() => STORED, { namespace: 'MQ_INST', maxBatchMessages: 2 });
    await sendWith(producer, 'T', [message('a'), message('b'), message('c')]);
    await sendWith(producer, 'MQ_INST%T', [message('a')]);
    expect(nameServer.received.map(({ code, fields }) => [code, fields['topic']])).toEqual([[ROUTE, 'MQ_INST%T']]);
    expect(broker.received.map(({ fields }) => [fields['a'], fields['b']])).toEqual(
      Array(3).fill(['MQ_INST%outflow', 'MQ_INST%T']),
    );
  });

  it('marks a batch, and sends a delayed message alone', async () => {
    const { broker, producer } = await one(() => STORED, { maxInFlight: 1 });
    await sendWith(producer, 'T', [message('a')]);
    await sendWith(producer, 'T', [message('a'), message('b'), message('c', { delayLevel: 1 }), message('d')]);
    expect(broker.received.map(({ code, fields }) => [code, fields['m']])).toEqual([
      [SEND, 'false'],
      [BATCH, 'true'],
      [SEND, 'false'],
      [SEND, 'false'],
    ]);
  });

  it('sends nothing without time', async () => {
    const { broker, producer } = await one(() => STORED);
    const messages = [message('a'), message('b', { group: 'g' })];
    const outcomes = await sendWith(producer, 'T', messages, { remainingMs: () => 0 });
    expect(verdicts(outcomes)).toEqual(['unsent', 'unsent']);
    expect(broker.received).toEqual([]);
  });

  it('refuses an invalid option by its name', () => {
    const opened = (options: object) => () => openProducer({ nameServers: ['h:1'], ...options });
    expect(opened({ nameServers: [] })).toThrow(/nameServers: got \[\]/);
    expect(opened({ nameServers: ['http://h:1'] })).toThrow(/got 'http:\/\/h:1'; expected host:port/);
    expect(opened({ namespace: 'a%b' })).toThrow(InvalidOptionError);
    expect(opened({ timeoutMs: 0 })).toThrow(/timeoutMs: got 0; expected/);
  });
});

describe('a connectivity test', () => {
  it('lists brokers that would accept a message apart from those that are away', async () => {
    const good = await server(() => ({ code: 29, remark: 'request queueId[2147483647] is illegal' }));
    const nameServer = await server(() => routeTo({ good: good.address, gone: '127.0.0.1:1' }));
    const found = await producer({ nameServers: [nameServer.address] }).testConnectivity('T');
    expect(found.brokers.map(({ name }) => name)).toEqual(['good']);
    expect(found.away.map(({ name }) => name)).toEqual(['gone']);
  });

  it('throws the error that a message would have', async () => {
    const { producer: refused } = await one(() => ({ code: 16, remark: 'check signature failed.' }));
    await expect(refused.testConnectivity('T')).rejects.toMatchObject({ name: 'StopTask' });
    await expect(refused.testConnectivity()).rejects.toMatchObject({ name: 'StopTask' });
    const unreachable = producer({ nameServers: ['127.0.0.1:1'], timeoutMs: 300 });
    await expect(unreachable.testConnectivity('T')).rejects.toMatchObject({ name: 'RetryLater' });
  });
});
