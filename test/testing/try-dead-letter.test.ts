import { describe, expect, it } from 'vitest';
import { tryTask } from '../../lambdas/testing/index.ts';
import { envelope } from '../support/messages.ts';

const spec = {
  v: 1,
  task: 'T',
  source: { type: 'iot-core', filters: ['#'] },
  sink: { type: 'kinesis', stream: 's', partitionKey: '${clientid}', payload: '${payload}' },
};

describe('a dead letter, tried', () => {
  it('is read as an envelope', async () => {
    const deadLetter = envelope('{"a":1}', { userProperties: [{ site: 'a' }, { site: 'b' }] });
    const result = await tryTask(spec, deadLetter);
    expect(result).toMatchObject({ outcome: 'delivered', requests: [{ partitionKey: 'd1', data: '{"a":1}' }] });
    expect(result.envelope).toEqual(deadLetter);
    expect(result.event?.data.userProperties).toEqual({ site: ['a', 'b'] });
  });

  it('is read as the message of a rule’s error action', async () => {
    const deadLetter = {
      ruleName: 'r',
      topic: 't/1',
      cloudwatchTraceId: 'trace-1',
      clientId: 'c1',
      base64OriginalPayload: 'aGk=',
      failures: [{ failedAction: 'SqsAction', failedResource: 'q', errorMessage: 'denied' }],
    };
    expect(await tryTask(spec, deadLetter)).toMatchObject({
      envelope: { id: 'trace-1', topic: 't/1' },
      requests: [{ partitionKey: 'c1', data: 'hi' }],
    });
  });

  it('ends like before, also if its payload cannot be read', async () => {
    const result = await tryTask(spec, { ...envelope(), payload: '*' });
    expect(result).toMatchObject({ outcome: 'deadLettered', error: { code: 'INVALID_PAYLOAD', stage: 'render' } });
    expect(result).not.toHaveProperty('ruleOutput');
  });

  it('is refused if it is not an envelope of a known version', async () => {
    await expect(tryTask(spec, { ...envelope(), v: 2 } as never)).rejects.toThrow(
      /message: got .*; expected an envelope \(v is 2; expected 1\)/,
    );
  });
});
