import type { KinesisStreamEvent } from 'aws-lambda';
import type { BatchReport, BufferMessage, Worker } from '../../worker/worker.ts';
import type { Intake, Middleware } from '../sqs/adapter.ts';
import type { StreamMemory } from './failed-records.ts';

/**
 * Takes the records of a shard in their order, and answers with the first that is not done: from there on they come again
 * (AWS Lambda, "Configuring partial batch response with Kinesis Data Streams"). What the function remembers as done is not
 * done twice.
 */
export function kinesisIntake(worker: Worker, memory: StreamMemory): Middleware {
  return {
    before(request) {
      const { Records = [] } = request.event as Partial<KinesisStreamEvent>;
      if (Records[0]?.eventSource !== 'aws:kinesis') return;
      const ids = Records.map(({ eventID }) => eventID);
      const shard = ids[0]!.slice(0, ids[0]!.indexOf(':'));
      const messages = Records.map(({ eventID, kinesis }): BufferMessage => {
        const sentAt = Math.round(kinesis.approximateArrivalTimestamp * 1000);
        const failures = memory.failures(eventID);
        return {
          id: eventID,
          body: Buffer.from(kinesis.data, 'base64').toString('utf8'),
          sentAt,
          attempt: failures?.count ?? 0,
          failingMs: failures?.failingMs,
          children: failures?.children,
        };
      });
      request.event = {
        process: (context) =>
          worker.process(
            messages.filter(({ id }) => !memory.isDone(id)),
            context,
          ),
        async respond({ failed }: BatchReport) {
          const open = new Set(failed);
          const first = ids.findIndex((id) => open.has(id));
          memory.keep(shard, first === -1 ? [] : ids.slice(first), open);
          const sequenceNumber = Records[first]?.kinesis.sequenceNumber;
          return {
            batchItemFailures: sequenceNumber === undefined ? [] : [{ itemIdentifier: sequenceNumber }],
          };
        },
      } satisfies Intake;
    },
  };
}
