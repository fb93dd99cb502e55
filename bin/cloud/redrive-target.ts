import { randomUUID } from 'node:crypto';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { sendAll } from '../../lambdas/buffer/sqs/send-batch.ts';
import { readDeadLetter, type StoredMessage } from './dead-letter.ts';

/**
 * Stores dead letters in the buffer of their task.
 *
 * @returns for each dead letter, in order, whether it is stored there.
 * @throws for a task without a buffer.
 */
export type RedriveTarget = (deadLetters: readonly StoredMessage[]) => Promise<readonly boolean[]>;

/** The task's queue. All attributes go along: the worker recognises a redriven message by them and resets its attempts. */
export function queueTarget(api: SqsApi, queueUrl: string, onNote: (note: string) => void): RedriveTarget {
  return (deadLetters) =>
    sendAll(
      deadLetters.map(({ body, attributes }) => ({ MessageBody: body, MessageAttributes: { ...attributes } })),
      { api, queueUrl, what: 'dead letter', log: (entry) => onNote(JSON.stringify(entry)) },
    );
}

/** The end of the task's stream, under the partition key that the rules use. */
export function streamTarget(
  client: Pick<KinesisClient, 'send'>,
  streamName: string,
  onNote: (note: string) => void,
): RedriveTarget {
  return async (deadLetters) => {
    try {
      const { Records = [] } = await client.send(
        new PutRecordsCommand({
          StreamName: streamName,
          Records: deadLetters.map((deadLetter) => ({
            Data: Buffer.from(markRedriven(deadLetter, Date.now())),
            PartitionKey: partitionKeyOf(deadLetter),
          })),
        }),
      );
      for (const { ErrorCode, ErrorMessage } of Records)
        if (ErrorCode !== undefined) onNote(`dead letter not stored: ${ErrorCode}: ${ErrorMessage}`);
      return deadLetters.map((_, i) => Records[i]?.SequenceNumber !== undefined);
    } catch (error) {
      onNote(`${deadLetters.length} dead letters not stored: ${String(error)}`);
      return deadLetters.map(() => false);
    }
  };
}

/** The client id, as in the rules; a fresh key where it cannot be one (PutRecords: 1 to 256 characters). */
function partitionKeyOf(deadLetter: StoredMessage): string {
  const clientId = readDeadLetter(deadLetter).envelope?.clientid ?? '';
  return clientId.length >= 1 && clientId.length <= 256 ? clientId : randomUUID();
}

// A stream keeps no attributes, so the envelope carries the time of the redrive. A body that is not an envelope stays unchanged.
function markRedriven(deadLetter: StoredMessage, now: number): string {
  if (readDeadLetter(deadLetter).envelope === undefined) return deadLetter.body;
  return deadLetter.body.replace(/(,"redriven":\d+)?\}\s*$/, `,"redriven":${now}}`);
}

/** For a task without a buffer. */
export const noTarget: RedriveTarget = async () => {
  throw new Error('the task has no buffer to redrive dead letters to; publish their payloads again');
};
