import { randomUUID } from 'node:crypto';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import type { SqsApi } from '../../lambdas/buffer/sqs/api.ts';
import { sendAll } from '../../lambdas/buffer/sqs/send-batch.ts';
import { readLetter, type StoredMessage } from './letter.ts';

/** Stores letters where their task takes messages from. @returns for each whether it is stored there. @throws for a task without such a place */
export type PutBack = (letters: readonly StoredMessage[]) => Promise<readonly boolean[]>;

/** Into the task's queue, with all their attributes: by those the worker knows that they start afresh. */
export function intoQueue(api: SqsApi, queueUrl: string, onNote: (note: string) => void): PutBack {
  return (letters) =>
    sendAll(
      letters.map(({ body, attributes }) => ({ MessageBody: body, MessageAttributes: { ...attributes } })),
      { api, queueUrl, what: 'letter', log: (entry) => onNote(JSON.stringify(entry)) },
    );
}

/** Into the task's stream, behind what is there, under the key that the rules use. */
export function intoStream(
  client: Pick<KinesisClient, 'send'>,
  streamName: string,
  onNote: (note: string) => void,
): PutBack {
  return async (letters) => {
    const { Records = [] } = await client.send(
      new PutRecordsCommand({
        StreamName: streamName,
        Records: letters.map((letter) => ({
          Data: Buffer.from(redriven(letter, Date.now())),
          PartitionKey: readLetter(letter).envelope?.clientid ?? randomUUID(),
        })),
      }),
    );
    for (const { ErrorCode, ErrorMessage } of Records)
      if (ErrorCode !== undefined) onNote(`letter not stored: ${ErrorCode}: ${ErrorMessage}`);
    return letters.map((_, i) => Records[i]?.SequenceNumber !== undefined);
  };
}

/** A stream keeps no attributes, so that the envelope tells when the message's time begins anew. What is no envelope stays as it is. */
function redriven(letter: StoredMessage, now: number): string {
  if (readLetter(letter).envelope === undefined) return letter.body;
  return letter.body.replace(/(,"redriven":\d+)?\}\s*$/, `,"redriven":${now}}`);
}

/** For a task that keeps nothing. */
export const nowhere: PutBack = async () => {
  throw new Error('the task has no buffer to put letters back into; publish their payloads again');
};
