import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { decodeEnvelope } from '../../lambdas/core/envelope.ts';
import { forward } from '../../lambdas/source/logs/forward.ts';

const recorded = JSON.parse(readFileSync('test/golden/publish-out-log.json', 'utf8'));
const log = (...entries: unknown[]) => {
  const logEvents = entries.map((message, i) => ({
    id: `id-${i}`,
    timestamp: 1_795_251_600_000 + i,
    message: typeof message === 'string' ? message : JSON.stringify(message),
  }));
  return zipped({ messageType: 'DATA_MESSAGE', logEvents });
};
const zipped = (data: object) => ({ awslogs: { data: gzipSync(JSON.stringify(data)).toString('base64') } });

async function forwarded(event: ReturnType<typeof log>, takes: (body: string) => boolean = () => true) {
  const bodies: string[] = [];
  const logged: object[] = [];
  const sendBatch: SqsApi['sendBatch'] = async ({ Entries = [] }) => {
    const taken = Entries.filter(({ MessageBody }) => takes(MessageBody!));
    bodies.push(...taken.map(({ MessageBody }) => MessageBody!));
    const failed = Entries.filter((entry) => !taken.includes(entry));
    return {
      Successful: taken.map(({ Id }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })),
      Failed: failed.map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError' })),
    };
  };
  const api = { sendBatch } as SqsApi;
  const topicFilters = ['a/#', 'b/+'];
  const ended = await forward(event, { api, queueUrl: 'q', topicFilters, log: (entry) => logged.push(entry) }).then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { ended, logged, sent: bodies.map((body) => decodeEnvelope(body, { messageId: 'm', sentAt: 0 })) };
}

describe('log entries of messages that AWS IoT Core sent to clients (B16)', () => {
  it('become a message for each client and matching topic, with the id of the entry', async () => {
    const topics = ['a/x', 'c/x', 'b/1'].map((topicName) => ({ ...recorded, topicName }));
    const { ended, logged, sent } = await forwarded(log(...topics));
    expect({ ended, logged }).toEqual({ ended: undefined, logged: [] });
    expect(sent.map(({ id, topic }) => [id, topic])).toEqual([
      ['id-0', 'a/x'],
      ['id-2', 'b/1'],
    ]);
    expect(sent[0]).toEqual({
      v: 1,
      kind: 'mqtt.message.delivered',
      id: 'id-0',
      trace: recorded.traceId,
      topic: 'a/x',
      clientid: 'reader',
      principal: 'a1b2c3',
      sourceip: '192.0.2.7',
      timestamp: 1_795_251_600_000,
      payload: '',
    });
  });

  it('of other events are counted and logged', async () => {
    const failure = { ...recorded, status: 'Failure' };
    const { ended, logged, sent } = await forwarded(
      log('plain', failure, { ...recorded, eventType: 'Connect' }, recorded),
    );
    expect(sent.map(({ id }) => id)).toEqual(['id-3']);
    expect({ ended, logged }).toMatchObject({ ended: undefined, logged: [{ count: 3 }] });
    expect(await forwarded(zipped({ messageType: 'CONTROL_MESSAGE', logEvents: [] }))).toMatchObject({ sent: [] });
  });

  it('fail the invocation when the queue does not store all messages', async () => {
    const entries = Array.from({ length: 12 }, () => recorded);
    const { ended, sent } = await forwarded(log(...entries), (body) => !body.includes('"id-7"'));
    expect(sent).toHaveLength(11);
    expect(ended).toBe('1 of 12 messages were not stored in the queue');
    expect((await forwarded({ awslogs: { data: 'AAAA' } })).ended).toBeDefined();
  });

  it('are decompressed to a bounded size only (S12)', async () => {
    // The members of a gzip file are decompressed one after the other.
    const mebibyte = gzipSync(Buffer.alloc(1024 * 1024, ' '));
    const members = [
      gzipSync('{"messageType":"DATA_MESSAGE","logEvents":[],"more":"'),
      ...Array.from({ length: 64 }, () => mebibyte),
      gzipSync('"}'),
    ];
    const bomb = { awslogs: { data: Buffer.concat(members).toString('base64') } };
    expect((await forwarded(bomb)).ended).toMatch(/larger than/);
  });
});
