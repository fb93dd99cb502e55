import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NeverRetry, RetryLater, StopTask } from '../../lambdas/core/errors.ts';
import { orderedDelivery, SPLIT, type Transport } from '../../lambdas/deliver/ordered.ts';
import { failure } from '../../lambdas/deliver/outcome.ts';
import { type DeliverContext, isSettled, type Outcome } from '../../lambdas/deliver/sink.ts';

type Order = DeliverContext['order'];
type Status = 'delivered' | 'retry' | 'never' | 'stop';

interface Request {
  readonly key: string | undefined;
  readonly target: string;
  readonly bytes: number;
  /** The server's answers, call by call; the last one is repeated. */
  readonly answers: readonly Status[];
}

const OUTCOMES: Readonly<Record<Status, Outcome>> = {
  delivered: { status: 'delivered' },
  retry: failure(new RetryLater('later')),
  never: failure(new NeverRetry('REJECTED', 'never')),
  stop: failure(new StopTask('stop')),
};

interface Server {
  readonly isAtomic: boolean;
  readonly batching: { readonly maxRequests: number; readonly maxBytes: number } | undefined;
  readonly maxConcurrency: number;
  /** Whether the server refuses a whole call for one request that it never accepts. */
  readonly splits: boolean;
  readonly resends: number;
}

interface Call {
  readonly requests: readonly Request[];
  /** Requests that were settled when the call was made. */
  readonly settledBefore: ReadonlySet<Request>;
  /** Whether it had an answer for each request; else it was split. */
  isAnswered: boolean;
}

/** A server that gives its requests' answers, and records its calls. */
function serve({ isAtomic, batching, maxConcurrency, splits, resends }: Server, respond: () => Promise<unknown>) {
  const calls: Call[] = [];
  const settled = new Set<Request>();
  const tries = new Map<Request, number>();
  let now = 0;
  let most = 0;

  function answersOf(requests: readonly Request[]): readonly Status[] | typeof SPLIT {
    const answers = requests.map((request) => {
      const n = tries.get(request) ?? 0;
      return request.answers[Math.min(n, request.answers.length - 1)]!;
    });
    if (splits && requests.length > 1 && answers.includes('never')) return SPLIT;
    for (const request of requests) tries.set(request, (tries.get(request) ?? 0) + 1);
    // All or none.
    const failed = isAtomic ? answers.find((answer) => answer !== 'delivered') : undefined;
    return failed === undefined ? answers : answers.map(() => failed);
  }

  const transport: Transport<Request> = {
    orderKey: ({ key }, order) => (order === 'strict' ? key : undefined),
    ...(batching && {
      batching: { target: ({ target }) => target, bytes: ({ bytes }) => bytes, isAtomic, ...batching },
    }),
    maxConcurrency,
    resendAfterMs: Array(resends).fill(0),
    async send(requests) {
      most = Math.max(most, ++now);
      const call: Call = { requests, settledBefore: new Set(settled), isAnswered: false };
      calls.push(call);
      await respond();
      now--;
      const answers = answersOf(requests);
      if (answers === SPLIT) return SPLIT;
      call.isAnswered = true;
      const outcomes = answers.map((answer) => OUTCOMES[answer]);
      requests.forEach((request, i) => {
        if (isSettled(outcomes[i]!)) settled.add(request);
      });
      return outcomes;
    },
  };
  const answered = () => new Set(calls.flatMap((call) => (call.isAnswered ? call.requests : [])));
  return { transport, calls, answered, mostAtOnce: () => most };
}

const request = fc.record({
  key: fc.constantFrom('a', 'b', 'c', undefined),
  target: fc.constantFrom('x', 'y'),
  bytes: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 40 }) }, fc.constant(Number.POSITIVE_INFINITY)),
  answers: fc.oneof(
    { weight: 6, arbitrary: fc.constant<Status[]>(['delivered']) },
    fc.array(fc.constantFrom<Status[]>('delivered', 'retry', 'never', 'stop'), { minLength: 1, maxLength: 3 }),
  ),
});
const server = fc.record({
  isAtomic: fc.boolean(),
  batching: fc.option(
    fc.record({ maxRequests: fc.integer({ min: 1, max: 5 }), maxBytes: fc.integer({ min: 30, max: 100 }) }),
    { nil: undefined },
  ),
  maxConcurrency: fc.integer({ min: 1, max: 4 }),
  splits: fc.boolean(),
  resends: fc.integer({ min: 0, max: 2 }),
});
const anyOrder = fc.constantFrom<Order[]>(undefined, 'relaxed', 'strict');
const requests = fc.array(request, { maxLength: 25 });
const noLimit = () => 60_000;

describe('ordered delivery', () => {
  /** Delivers under any interleaving of the calls. */
  const delivered = async (s: fc.Scheduler, given: Request[], by: Server, order: Order, remainingMs = noLimit) => {
    const served = serve(by, () => s.schedule(Promise.resolve()));
    const delivering = orderedDelivery(served.transport)(given, { order, remainingMs });
    await s.waitFor(delivering);
    return { ...served, outcomes: await delivering };
  };
  const check = (
    property: (found: Awaited<ReturnType<typeof delivered>>, given: Request[], by: Server, order: Order) => void,
    orders = anyOrder,
    servers: fc.Arbitrary<Server> = server,
  ) =>
    fc.assert(
      fc.asyncProperty(fc.scheduler(), requests, servers, orders, async (s, given, by, order) => {
        property(await delivered(s, given, by, order), given, by, order);
      }),
    );

  it('has one outcome per request: unsent if the server never answered it', () =>
    check(({ outcomes, answered }, given) => {
      const has = answered();
      expect(outcomes.map(({ status }) => status !== 'unsent')).toEqual(given.map((one) => has.has(one)));
    }));

  it('without an order, sends everything', () =>
    check(({ outcomes }) => {
      expect(outcomes.filter(({ status }) => status === 'unsent')).toEqual([]);
    }, fc.constant(undefined)));

  it('makes calls for one target and within the limits, and keeps to the concurrency limit', () =>
    check(({ calls, mostAtOnce }, _, { batching, maxConcurrency }) => {
      expect(mostAtOnce()).toBeLessThanOrEqual(maxConcurrency);
      for (const { requests } of calls) {
        if (requests.length === 1) continue;
        expect(new Set(requests.map(({ target }) => target)).size).toBe(1);
        expect(requests.length).toBeLessThanOrEqual(batching!.maxRequests);
        expect(requests.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(batching!.maxBytes);
      }
    }));

  it('strict: no request overtakes another of its key', () =>
    check(
      ({ calls, outcomes }, given, { isAtomic }) => {
        const isBefore = (one: Request, other: Request) =>
          one.key !== undefined && one.key === other.key && given.indexOf(one) < given.indexOf(other);
        for (const { requests, settledBefore } of calls) {
          for (const request of requests) {
            const before = given.filter((one) => isBefore(one, request));
            const isInFront = (one: Request) => isAtomic && requests.indexOf(one) < requests.indexOf(request);
            expect(before.every((one) => settledBefore.has(one) || (requests.includes(one) && isInFront(one)))).toBe(
              true,
            );
          }
        }
        const owed = new Set(given.filter((_, i) => !isSettled(outcomes[i]!)));
        for (const one of owed) expect(given.filter((other) => isBefore(one, other) && !owed.has(other))).toEqual([]);
      },
      fc.constant('strict' as const),
    ));

  it('strict: a request is left unsent for an owed request of its key only', () =>
    check(
      ({ outcomes }, given) => {
        const owed = new Set<string | undefined>();
        for (const [i, outcome] of outcomes.entries()) {
          const { key } = given[i]!;
          if (outcome.status === 'unsent') expect(owed).toContain(key);
          if (key !== undefined && !isSettled(outcome)) owed.add(key);
        }
      },
      fc.constant('strict' as const),
    ));

  it('relaxed: makes one call after the other, and none after a call of which a request is owed', () =>
    check(
      ({ calls, mostAtOnce }, given) => {
        expect(mostAtOnce()).toBeLessThanOrEqual(1);
        const answered: Request[] = [];
        for (const { requests, settledBefore, isAnswered } of calls) {
          // Requests of a call may be sent again while others of it are owed.
          if (!answered.includes(requests[0]!)) {
            expect(answered.every((one) => settledBefore.has(one))).toBe(true);
            const sameTarget = answered.filter(({ target }) => target === requests[0]!.target);
            expect(sameTarget.every((one) => given.indexOf(one) < given.indexOf(requests[0]!))).toBe(true);
          }
          if (isAnswered) answered.push(...requests);
        }
      },
      fc.constant('relaxed' as const),
      server.filter(({ batching }) => batching !== undefined),
    ));

  it('relaxed, with one request per call: as many calls as are allowed at a time are a batch', () =>
    check(
      ({ outcomes }, given, { maxConcurrency }) => {
        const left = outcomes.findIndex((outcome) => !isSettled(outcome));
        const end = left < 0 ? given.length : left - (left % maxConcurrency) + maxConcurrency;
        expect(outcomes.map(({ status }) => status !== 'unsent')).toEqual(given.map((_, i) => i < end));
      },
      fc.constant('relaxed' as const),
      server.map((one) => ({ ...one, batching: undefined })),
    ));

  it('makes no call once the time is over', () =>
    fc.assert(
      fc.asyncProperty(fc.scheduler(), requests, server, anyOrder, fc.nat(10), async (s, given, by, order, calls) => {
        let left = calls;
        const served = serve({ ...by, resends: 0 }, () => s.schedule(Promise.resolve()));
        const delivering = orderedDelivery({ ...served.transport, minTimeMs: 5 })(given, {
          order,
          remainingMs: () => (left-- > 0 ? 5 : 4),
        });
        await s.waitFor(delivering);
        expect(served.calls.length).toBeLessThanOrEqual(calls);
        const has = served.answered();
        expect((await delivering).map(({ status }) => status !== 'unsent')).toEqual(given.map((one) => has.has(one)));
      }),
    ));

  it('sends requests again whose outcome is retry, and no others', async () => {
    const sequence = (...answers: Status[]): Request => ({ key: 'k', target: 'x', bytes: 1, answers });
    const given = [sequence('retry', 'retry', 'delivered'), sequence('delivered'), sequence('stop'), sequence('never')];
    const { transport, calls } = serve(
      { isAtomic: false, batching: { maxRequests: 9, maxBytes: 9 }, maxConcurrency: 1, splits: false, resends: 2 },
      turn,
    );
    const outcomes = await orderedDelivery(transport)(given, { remainingMs: noLimit });
    expect(outcomes.map(({ status }) => status)).toEqual(['delivered', 'delivered', 'stop', 'never']);
    expect(calls.map(({ requests }) => requests)).toEqual([given, [given[0]], [given[0]]]);
  });

  it('splits refused calls until each request has its outcome', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 40 }),
        anyOrder,
        fc.boolean(),
        async (bad, order, isAtomic) => {
          const given = bad.map(
            (isBad): Request => ({ key: 'k', target: 'x', bytes: 1, answers: [isBad ? 'never' : 'delivered'] }),
          );
          const batching = { maxRequests: 16, maxBytes: 100 };
          const { transport } = serve({ isAtomic, batching, maxConcurrency: 2, splits: true, resends: 0 }, turn);
          const outcomes = await orderedDelivery(transport)(given, { order, remainingMs: noLimit });
          expect(outcomes.map(({ status }) => status)).toEqual(bad.map((isBad) => (isBad ? 'never' : 'delivered')));
        },
      ),
    ));

  it('strict: a call that hangs delays no other key', async () => {
    let end = () => {};
    const hanging = new Promise<void>((resolve) => {
      end = resolve;
    });
    const sent: string[] = [];
    const deliver = orderedDelivery<string>({
      orderKey: (text) => text[0],
      maxConcurrency: 2,
      async send([text]) {
        if (text === 'a1') await hanging;
        sent.push(text!);
        if (text === 'b3') end();
        return [{ status: 'delivered' }];
      },
    });
    const outcomes = await deliver(['a1', 'a2', 'b1', 'b2', 'b3'], { order: 'strict', remainingMs: noLimit });
    expect(sent).toEqual(['b1', 'b2', 'b3', 'a1', 'a2']);
    expect(outcomes.every(({ status }) => status === 'delivered')).toBe(true);
  });

  it('strict: an atomic call holds as many requests of a key as fit', async () => {
    const calls: string[] = [];
    const deliver = orderedDelivery<string>({
      orderKey: (text) => text[0],
      batching: { target: () => '', bytes: () => 1, maxRequests: 3, maxBytes: 100, isAtomic: true },
      maxConcurrency: 1,
      async send(texts) {
        calls.push(texts.join(' '));
        return texts.map(() => ({ status: 'delivered' }));
      },
    });
    await deliver(['a1', 'a2', 'a3', 'a4', 'a5', 'b1'], { order: 'strict', remainingMs: noLimit });
    expect(calls).toEqual(['a1 a2 b1', 'a3 a4 a5']);
  });

  it('shares its limit among deliveries', async () => {
    let now = 0;
    let most = 0;
    const deliver = orderedDelivery<string>({
      orderKey: () => undefined,
      maxConcurrency: 3,
      async send() {
        most = Math.max(most, ++now);
        await turn();
        now--;
        return [{ status: 'delivered' }];
      },
    });
    const context = { remainingMs: noLimit };
    await Promise.all([deliver(Array(10).fill('x'), context), deliver(Array(10).fill('y'), context)]);
    expect(most).toBe(3);
  });

  it('makes outcomes of RetryLater, NeverRetry and StopTask, and throws other errors', async () => {
    const statusOf = async (error: Error) => {
      const deliver = orderedDelivery<string>({
        orderKey: () => undefined,
        maxConcurrency: 1,
        send: () => Promise.reject(error),
      });
      return (await deliver(['x'], { remainingMs: noLimit }))[0]!.status;
    };
    expect(await statusOf(new RetryLater('x'))).toBe('retry');
    expect(await statusOf(new NeverRetry('REJECTED', 'x'))).toBe('never');
    expect(await statusOf(new StopTask('x'))).toBe('stop');
    await expect(statusOf(new TypeError('x'))).rejects.toThrow(TypeError);
  });
});
