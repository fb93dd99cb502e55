import '../../lambdas/core/jsonpath/every-path.ts';
import type { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError, type NeverRetry } from '../../lambdas/core/errors.ts';
import { parseJson } from '../../lambdas/core/json.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { kinesisOptions } from '../../lambdas/deliver/kinesis/config.ts';
import { compileKinesis, type KinesisRequest } from '../../lambdas/deliver/kinesis/render.ts';
import { kinesisSink, type PutRecords } from '../../lambdas/deliver/kinesis/sink.ts';
import { hurry, minute } from '../contract/sink.ts';

const options = (over: object = {}) => {
  const parsed = parseOptions(kinesisOptions, {
    type: 'kinesis',
    stream: 'telemetry',
    partitionKey: '${clientid}',
    ...over,
  });
  return { ...parsed, stream: parsed.stream as string };
};
const request = (text: string, over: Partial<KinesisRequest> = {}): KinesisRequest => {
  const data = Buffer.from(text);
  return { stream: 'telemetry', isStreamRendered: false, partitionKey: 'k', data, bytes: data.length + 1, ...over };
};

// No emulator throttles chosen records, so a scripted client does.
describe('the Kinesis sink with a scripted client', () => {
  const scripted = (failing: (record: { data: string; call: number }) => string | undefined, over = {}) => {
    const calls: string[][] = [];
    const client = {
      async send({ input }: PutRecordsCommand) {
        const texts = input.Records!.map(({ Data }) => Buffer.from(Data!).toString());
        calls.push(texts);
        return {
          Records: texts.map((data) => {
            const ErrorCode = failing({ data, call: calls.length });
            return ErrorCode === undefined
              ? { SequenceNumber: '1', ShardId: 's' }
              : { ErrorCode, ErrorMessage: 'slow down' };
          }),
        };
      },
      destroy() {},
    };
    return { calls, sink: kinesisSink(options(over), () => client as unknown as PutRecords) };
  };

  it('stops the task for an invalid stream name that was unknown until deployment', async () => {
    const { calls, sink } = scripted(() => undefined);
    const outcomes = await sink.deliver([request('a', { stream: 'my stream' }), request('b')], minute);
    expect(outcomes).toMatchObject([
      { status: 'stop', error: { message: expect.stringContaining("stream: got 'my stream'; expected 1 to 128") } },
      { status: 'delivered' },
    ]);
    expect(calls).toEqual([['b']]);
    await expect(sink.testConnectivity(['my stream'])).rejects.toMatchObject({ name: 'StopTask' });
    const late = { ...options({ partitionKey: 'k' }), stream: 'my stream' };
    expect(compileKinesis(late, 'fail')({}, {})).toMatchObject({ stream: 'my stream', isStreamRendered: false });
  });

  it('sends again only the records that failed, and maps their outcomes (F06)', async () => {
    const { calls, sink } = scripted(({ data, call }) =>
      call === 1 && data !== 'b' ? 'ProvisionedThroughputExceededException' : undefined,
    );
    const outcomes = await sink.deliver(
      ['a', 'b', 'c'].map((text) => request(text)),
      minute,
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['delivered', 'delivered', 'delivered']);
    expect(calls).toEqual([
      ['a', 'b', 'c'],
      ['a', 'c'],
    ]);
  });

  it('maps every outcome to its record, for any failures and batches', async () => {
    const batch = fc.array(fc.boolean(), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(batch, fc.integer({ min: 1, max: 7 }), async (fails, maxRecords) => {
        const failing = new Set(fails.flatMap((fail, i) => (fail ? [`${i}`] : [])));
        const { sink } = scripted(({ data }) => (failing.has(data) ? 'InternalFailure' : undefined), { maxRecords });
        const outcomes = await sink.deliver(
          fails.map((_, i) => request(`${i}`)),
          hurry,
        );
        expect(outcomes.map(({ status }) => status)).toEqual(fails.map((fail) => (fail ? 'retry' : 'delivered')));
      }),
    );
  });
});

describe('the Kinesis sink, when a whole call fails (F07)', () => {
  it.each([
    ['ProvisionedThroughputExceededException', 400, 'throttled'],
    ['ThrottlingException', 400, 'throttled'],
    ['InternalFailure', 500, 'unavailable'],
    ['ServiceUnavailable', 503, 'unavailable'],
    ['TimeoutError', undefined, 'timeout'],
  ])('with %s, retries all of its records and states the kind of failure', async (name, httpStatusCode, kind) => {
    const client = {
      send: () => Promise.reject(Object.assign(new Error('no'), { name, $metadata: { httpStatusCode } })),
      destroy() {},
    };
    const sink = kinesisSink(options(), () => client as unknown as PutRecords);
    const outcomes = await sink.deliver(
      ['a', 'b'].map((text) => request(text)),
      hurry,
    );
    expect(outcomes).toEqual([0, 1].map(() => ({ status: 'retry', error: expect.objectContaining({ kind }) })));
  });
});

describe('the Kinesis sink, when calls are refused for their records', () => {
  it('starts no call with too little time, and leaves unsent what is left', async () => {
    const times: number[] = [];
    let remainingMs = 20_000;
    const client = {
      send: () => {
        times.push(remainingMs);
        remainingMs -= 1_000;
        return Promise.reject(Object.assign(new Error('no'), { name: 'InvalidArgumentException' }));
      },
      destroy() {},
    };
    const sink = kinesisSink(options(), () => client as unknown as PutRecords);
    const requests = Array.from({ length: 500 }, (_, i) => request(`${i}`));
    const outcomes = await sink.deliver(requests, { remainingMs: () => remainingMs });
    // A call may take 17 s. The halves of 500 records would take 999 calls.
    expect(times).toEqual([20_000, 19_000, 18_000, 17_000]);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['unsent']));
  });
});

describe('Kinesis rendering', () => {
  const code = (over: object, scope: object) => {
    try {
      return compileKinesis(options(over), 'fail')(scope, {});
    } catch (error) {
      return (error as NeverRetry).code;
    }
  };
  const scope = {
    clientid: 'd1',
    topic: 't/1',
    key: 'x'.repeat(257),
    hash: '340282366920938463463374607431768211456',
    n: 5,
  };

  it('refuses records that Kinesis would refuse (F13, E15)', () => {
    expect(code({}, { clientid: '' })).toBe('INVALID_TARGET');
    expect(code({}, { clientid: null })).toBe('TEMPLATE_VARIABLE_MISSING');
    expect(code({ partitionKey: '${key}' }, scope)).toBe('INVALID_TARGET');
    expect(code({ stream: '${topic}' }, scope)).toBe('INVALID_TARGET');
    expect(code({ explicitHashKey: '${hash}' }, scope)).toBe('INVALID_TARGET');
    expect(code({ explicitHashKey: '${clientid}' }, scope)).toBe('INVALID_TARGET');
    expect(code({ payload: 'x'.repeat(1024 * 1024) }, scope)).toBe('MESSAGE_TOO_LARGE');
  });

  it('accepts keys of 256 characters of any size, and the largest hash key', () => {
    expect(code({ partitionKey: '😀'.repeat(256) }, scope)).toMatchObject({ partitionKey: '😀'.repeat(256) });
    expect(code({ explicitHashKey: '340282366920938463463374607431768211455' }, scope)).toMatchObject({
      explicitHashKey: '340282366920938463463374607431768211455',
    });
  });

  it('reads a hash key that a device writes as a float', () => {
    const given = parseJson('{"clientid":"d","h":7.0,"half":7.5}');
    const hashKey = (explicitHashKey: string) => code({ explicitHashKey }, given as object);
    expect(hashKey('${h}')).toMatchObject({ explicitHashKey: '7' });
    expect(hashKey('${half}')).toBe('INVALID_TARGET');
  });

  it('forwards the whole rule output for a blank payload (E16)', () => {
    expect(JSON.parse(Buffer.from((code({}, scope) as KinesisRequest).data).toString())).toEqual(scope);
  });

  it.each<[RegExp, object]>([
    [
      /stream: got 'my stream'; expected 1 to 128 letters, digits, _, \. and -, or a template$/,
      { stream: 'my stream' },
    ],
    [/stream: got 'arn:/, { stream: 'arn:aws:kinesis:eu-west-1:111111111111:stream/foo' }],
    [/explicitHashKey: got 'abc'; expected a whole number below 2\^128/, { explicitHashKey: 'abc' }],
    [/partitionKey: got 'k+…; expected 1 to 256 characters/, { partitionKey: 'k'.repeat(257) }],
    [/stream: got 'a\$\{\$\}'; expected/, { stream: 'a${$}' }],
  ])('refuses at synth an option that is wrong for every message: %s', (wanted, over) => {
    expect(() => options(over)).toThrow(wanted);
  });

  it('names the option, the value given and the value expected', () => {
    expect(() => options({ maxRecords: 501 })).toThrow(InvalidOptionError);
    expect(() => options({ maxRecords: 501 })).toThrow(/maxRecords: got 501; expected .*500/);
  });
});

describe('JSONPaths in the options of the Kinesis sink', () => {
  const event = parseJson(
    '{"data":{"clientid":"d1","body":{"n":7.0,"t":"x","site":"plant-1","hash":340282366920938463463374607431768211455}}}',
  );
  const render = (over: object) => compileKinesis(options(over), 'fail')({ payload: 'unused' }, event as object);

  it('read the event', () => {
    expect(
      render({
        stream: '$.data.body.site',
        partitionKey: '$.data.clientid',
        explicitHashKey: '$.data.body.hash',
        payload: '$.data.body.t',
      }),
    ).toMatchObject({
      stream: 'plant-1',
      isStreamRendered: true,
      partitionKey: 'd1',
      explicitHashKey: `${2n ** 128n - 1n}`,
      data: Buffer.from('x'),
    });
  });

  it('make JSON as values of a payload object', () => {
    const payload = { id: '$.data.clientid', n: '$.data.body.n', none: '$.data.none', one: 1 };
    expect(String(render({ partitionKey: 'k', payload }).data)).toBe('{"id":"d1","n":7.0,"none":null,"one":1}');
  });

  it.each(['stream', 'partitionKey', 'explicitHashKey'])('that find nothing are an invalid %s', (option) => {
    const refused = () => render({ partitionKey: 'k', payload: 'x', [option]: '$.data.none' });
    expect(refused).toThrow(expect.objectContaining({ code: 'INVALID_TARGET' }));
  });

  it('are checked at synth', () => {
    expect(() => options({ partitionKey: '$.data[' })).toThrow(/partitionKey: got '\$\.data\['; expected .*JSONPath/);
  });
});
