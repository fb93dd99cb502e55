import { describe, expect, it } from 'vitest';
import { NeverRetry } from '../../lambdas/core/errors.ts';
import { parseSpec } from '../../lambdas/core/spec.ts';
import { kinesis } from '../../lambdas/deliver/kinesis/kinesis.ts';
import { tryTask } from '../../lambdas/testing/try-task.ts';
import { createWorker } from '../../lambdas/worker/worker.ts';
import { envelope } from '../support/messages.ts';
import { scriptedBuffer, scriptedQueues, WORKER_ENV } from '../support/task-queues.ts';

const spec = (route: object) => ({
  v: 1,
  task: 'Routed',
  source: { type: 'iot-core', filters: ['#'] },
  sink: { type: 'kinesis', stream: 'other', partitionKey: 'k', payload: '${payload}' },
  route,
});
const hot = { filter: { data: { body: { temp: [{ numeric: ['>', 90] }] } } }, sink: { stream: 'hot', payload: 'hot' } };
const site = { topicFilter: 'sites/#', sink: { stream: 'site', partitionKey: '${topic}' } };
const targets = async (route: object, topic: string, payload = '{"temp":91}') => {
  const { outcome, requests = [], error } = await tryTask(spec(route), { topic, payload });
  return { outcome, streams: requests.map(({ stream }) => stream), code: error?.code, stage: error?.stage };
};

describe('a route', () => {
  it('is the first that matches, with the sink’s options and its own (A9)', async () => {
    const routes = [hot, site, { sink: {} }];
    expect(await targets({ routes }, 'sites/1')).toMatchObject({ outcome: 'delivered', streams: ['hot'] });
    expect(await targets({ routes }, 'sites/1', '{"temp":9}')).toMatchObject({ streams: ['site'] });
    expect(await targets({ routes }, 'x', '{}')).toMatchObject({ streams: ['other'] });
    const { requests } = await tryTask(spec({ routes }), { topic: 'a', payload: '{"temp":91}' });
    expect(requests).toEqual([{ stream: 'hot', partitionKey: 'k', data: 'hot' }]);
  });

  it('is every one that matches, with match: all', async () => {
    const routes = [hot, { kind: 'mqtt.client.connected', sink: {} }, site];
    expect(await targets({ routes, match: 'all' }, 'sites/1')).toMatchObject({ streams: ['hot', 'site'] });
  });

  it('that does not exist sends a record to the dead-letter queue, or drops it', async () => {
    const routes = [{ ...hot, ...site }];
    expect(await targets({ routes }, 'x')).toMatchObject({
      outcome: 'deadLettered',
      code: 'NO_ROUTE',
      stage: 'transform',
    });
    expect(await targets({ routes, otherwise: 'drop' }, 'x')).toMatchObject({ outcome: 'filtered' });
  });

  const workerOf = (route: object | undefined, env: Record<string, string> = {}) => {
    const tested: (readonly string[] | undefined)[] = [];
    const queues = scriptedQueues();
    const definition: typeof kinesis = {
      ...kinesis,
      open: () => ({
        deliver: async (requests) =>
          requests.map(() => ({ status: 'never' as const, error: new NeverRetry('REJECTED', 'no') })),
        testConnectivity: async (targets) => `${tested.push(targets)}`,
        close() {},
      }),
    };
    const parsed = parseSpec(spec(route as object), kinesis.options);
    const worker = createWorker(parsed, definition, {
      ...queues,
      env: { ...WORKER_ENV, TARGET_ARN: 'arn:stream/*', ...env },
    });
    const send = (topic: string, payload: string) =>
      worker.process(
        {
          messages: [
            {
              id: 'm',
              body: JSON.stringify(envelope(payload, { topic })),
              sentAt: 0,
              attempt: 0,
              firstSeen: Date.now(),
            },
          ],
        },
        { remainingMs: () => 60_000, buffer: scriptedBuffer(queues) },
      );
    return { worker, tested, send, dlqMessages: queues.dlqMessages };
  };

  it('is tested for connectivity, as every other route', async () => {
    const testedBy = async (route?: object, env?: Record<string, string>) => {
      const { worker, tested } = workerOf(route, env);
      await worker.testConnectivity();
      return tested;
    };
    expect(await testedBy()).toEqual([['other']]);
    expect(await testedBy({ routes: [hot, site, { ...hot, kind: 'x' }] })).toEqual([['hot', 'site']]);
    expect(await testedBy({ routes: [hot, { sink: { partitionKey: 'x' } }] })).toEqual([['hot', 'other']]);
    const late = { sink: { stream: { $env: 'LATE' } } };
    expect(await testedBy({ routes: [late, { sink: { stream: '${topic}' } }] }, { LATE: 'known' })).toEqual([
      ['known', '${topic}'],
    ]);
  });

  it('is the target of its dead letters; a message without a route has none', async () => {
    const { send, dlqMessages } = workerOf({ routes: [hot, site] });
    await send('sites/1', '{"temp":91}');
    await send('sites/1', '{}');
    await send('x', '{}');
    expect(dlqMessages.map(({ targetArn }) => targetArn)).toEqual([
      'arn:stream/hot',
      'arn:stream/site',
      'arn:stream/*',
    ]);
  });

  it('has no option that belongs to the sink as a whole', async () => {
    await expect(targets({ routes: [{ sink: { maxRecords: 1 } }] }, 'x')).rejects.toThrow(
      /route\.sink\.maxRecords: .*expected one of stream/,
    );
  });
});
