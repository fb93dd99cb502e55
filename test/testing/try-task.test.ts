import { describe, expect, it } from 'vitest';
import { tryTask } from '../../lambdas/testing/index.ts';

const spec = {
  v: 1,
  task: 'Warm',
  source: { type: 'iot-core', filters: ['devices/+/telemetry'] },
  filter: { data: { body: { temp: [{ numeric: ['>', 20] }] } } },
  sink: {
    type: 'kinesis',
    stream: { $env: 'SINK_STREAM' },
    partitionKey: '${clientid}',
    payload: '{"temp":${payload.temp}}',
  },
};
const message = { topic: 'devices/d1/telemetry', clientid: 'd1', payload: { temp: 21.5 } };

describe('tryTask', () => {
  it('shows what would be sent', async () => {
    const result = await tryTask(spec, message);
    expect(result).toMatchObject({
      task: 'Warm',
      outcome: 'delivered',
      envelope: { v: 1, payload: 'eyJ0ZW1wIjoyMS41fQ==' },
      event: { subject: 'devices/d1/telemetry', data: { body: { temp: 21.5 } } },
      ruleOutput: { clientid: 'd1', payload: '{"temp":21.5}' },
      requests: [{ stream: 'SINK_STREAM', partitionKey: 'd1', data: '{"temp":21.5}' }],
    });
    expect(await tryTask(spec, message, { env: { SINK_STREAM: 'mine' } })).toMatchObject({
      requests: [{ stream: 'mine' }],
    });
  });

  it('reports where a message ends, and why', async () => {
    expect(await tryTask(spec, { ...message, payload: { temp: 19 } })).toMatchObject({ outcome: 'filtered' });
    expect(await tryTask(spec, { ...message, topic: 'other' })).toMatchObject({ outcome: 'notSelected' });
    const { clientid: _, ...anonymous } = message;
    expect(await tryTask(spec, anonymous)).toMatchObject({
      error: { code: 'TEMPLATE_VARIABLE_MISSING', stage: 'render' },
    });
    const broken = await tryTask(spec, { ...message, payload: new Uint8Array([0xff]) });
    expect(broken).toMatchObject({ outcome: 'deadLettered', error: { code: 'INVALID_PAYLOAD', stage: 'filter' } });
    expect(broken).not.toHaveProperty('event');
  });

  it('shows bytes that are no text as base64', async () => {
    const raw = { ...spec, filter: undefined, sink: { ...spec.sink, payload: '${payload}' } };
    const { filter: _, ...passing } = raw;
    expect(await tryTask(passing, { ...message, payload: new Uint8Array([0xff, 0]) })).toMatchObject({
      requests: [{ data: { base64: '/wA=' } }],
    });
  });

  it('keeps user properties as given, in pairs or as an object', async () => {
    const given = {
      ...message,
      userProperties: [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ] as [string, string][],
    };
    const pairs = await tryTask(spec, given);
    expect(pairs.envelope.userProperties).toEqual([{ a: '1' }, { b: '2' }, { a: '3' }]);
    const object = await tryTask(spec, { ...message, userProperties: { a: ['1', '3'], b: '2' } });
    expect(object.event?.data.userProperties).toEqual({ a: ['1', '3'], b: '2' });
  });

  it('refuses specs and messages that are none, by name', async () => {
    await expect(tryTask({ ...spec, sink: { type: 'kafka' } }, message)).rejects.toThrow(
      "sink.type: got 'kafka'; expected kinesis",
    );
    await expect(tryTask(spec, { ...message, topik: 't' } as never)).rejects.toThrow(/message\.topik: got/);
  });
});
