import { describe, expect, it } from 'vitest';
import { tryTask } from '../lambdas/testing/try-task.ts';

const spec = (route: object) => ({
  v: 1,
  task: 'Routed',
  source: { type: 'iot-core', filters: ['#'] },
  sink: { type: 'kinesis', stream: 'other', partitionKey: 'k', payload: '${payload}' },
  route,
});
const hot = { filter: { data: { body: { temp: [{ numeric: ['>', 90] }] } } }, sink: { stream: 'hot', payload: 'hot' } };
const site = { topicFilter: 'sites/#', sink: { stream: 'site', partitionKey: '${topic}' } };
const ways = async (route: object, topic: string, payload = '{"temp":91}') => {
  const { outcome, requests = [], error } = await tryTask(spec(route), { topic, payload });
  return { outcome, streams: requests.map(({ stream }) => stream), code: error?.code, stage: error?.stage };
};

describe('a route', () => {
  it('is the first that matches, with the sink’s options and its own (A9)', async () => {
    const routes = [hot, site, { sink: {} }];
    expect(await ways({ routes }, 'sites/1')).toMatchObject({ outcome: 'delivered', streams: ['hot'] });
    expect(await ways({ routes }, 'sites/1', '{"temp":9}')).toMatchObject({ streams: ['site'] });
    expect(await ways({ routes }, 'x', '{}')).toMatchObject({ streams: ['other'] });
    const { requests } = await tryTask(spec({ routes }), { topic: 'a', payload: '{"temp":91}' });
    expect(requests).toEqual([{ stream: 'hot', partitionKey: 'k', data: 'hot' }]);
  });

  it('is every one that matches, where the task says so', async () => {
    const routes = [hot, { kind: 'mqtt.client.connected', sink: {} }, site];
    expect(await ways({ routes, match: 'all' }, 'sites/1')).toMatchObject({ streams: ['hot', 'site'] });
  });

  it('that there is not sends a record to the dead-letter queue, or nowhere', async () => {
    const routes = [{ ...hot, ...site }];
    expect(await ways({ routes }, 'x')).toMatchObject({
      outcome: 'deadLettered',
      code: 'NO_ROUTE',
      stage: 'transform',
    });
    expect(await ways({ routes, otherwise: 'drop' }, 'x')).toMatchObject({ outcome: 'filtered' });
  });
});
