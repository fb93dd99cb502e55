import type { KinesisStreamBatchResponse, KinesisStreamEvent, KinesisStreamRecord } from 'aws-lambda';
import type { BatchReport, BufferMessage } from '../../worker/message.ts';
import type { BufferSetup, TaskBuffer } from '../buffer.ts';
import { failedRecords } from './failed-records.ts';

/**
 * A Kinesis stream: the records of a shard in their order. The response names the first record that is not done, and AWS Lambda
 * redelivers from there on ("Configuring partial batch response with Kinesis Data Streams"). A record that the running function
 * remembers as done is not delivered again.
 */
export function kinesisBuffer({ spec, now }: BufferSetup): TaskBuffer {
  const records = failedRecords(now);

  function read({ eventID, kinesis }: KinesisStreamRecord): BufferMessage {
    const failures = records.failures(eventID);
    return {
      id: eventID,
      body: Buffer.from(kinesis.data, 'base64').toString('utf8'),
      sentAt: Math.round(kinesis.approximateArrivalTimestamp * 1000),
      attempt: failures?.count ?? 0,
      failingMs: failures?.failingMs,
      children: failures?.children,
      stops: failures?.stops,
    };
  }

  return {
    requeue: records.requeue,
    retryMode: 'redelivery',
    order: spec.buffer.type === 'stream' ? spec.buffer.order : undefined,
    receive(event) {
      const { Records } = event as KinesisStreamEvent;
      const ids = Records.map(({ eventID }) => eventID);
      const shard = ids[0]!.slice(0, ids[0]!.indexOf(':'));
      return {
        shard: Number(shard.replace(/^shardId-/, '')),
        messages: Records.filter(({ eventID }) => !records.isDone(eventID)).map(read),
        async respond({ failed }: BatchReport): Promise<KinesisStreamBatchResponse> {
          const open = new Set(failed);
          const first = ids.findIndex((id) => open.has(id));
          records.keep(shard, first === -1 ? [] : ids.slice(first), open);
          const itemIdentifier = Records[first]?.kinesis.sequenceNumber;
          return { batchItemFailures: itemIdentifier === undefined ? [] : [{ itemIdentifier }] };
        },
      };
    },
  };
}
