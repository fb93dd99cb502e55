import type { SqsApi } from '../../buffer/sqs/api.ts';
import { deadLetterQueue } from '../../buffer/sqs/dead-letter-queue.ts';
import { sendAll } from '../../buffer/sqs/send-batch.ts';
import { escaped } from '../../buffer/sqs/sqs-text.ts';
import type { Envelope } from '../../core/envelope.ts';
import { NeverRetry } from '../../core/errors.ts';
import type { Store } from './intake.ts';

/** Bytes of a message in SQS (Amazon SQS, "Message quotas") and of a record in Kinesis (Amazon Kinesis Data Streams, "PutRecords"). */
const MAX_BYTES = 1024 * 1024;
/** Room for a record's partition key. */
const MAX_KEY_BYTES = 1_024;

/** Writes one call's worth of bodies to a buffer. @returns for each whether it is stored. It never throws. */
export type Put = (entries: readonly Entry[]) => Promise<readonly boolean[]>;

export interface Entry {
  readonly envelope: Envelope;
  readonly body: string;
}

export interface DeadLetterOptions {
  readonly api: SqsApi;
  /** URL of the task's dead-letter queue. */
  readonly queueUrl: string;
  readonly task: string;
  /** ARN of this function, which dead letters name in RULE_ARN. */
  readonly functionArn: string;
  /** Address of the buffer. */
  readonly targetArn: string;
  readonly log: (entry: object) => void;
}

/**
 * Stores messages in a task's buffer. A message that no buffer can take goes to the dead-letter queue with MESSAGE_TOO_LARGE. It
 * leaves out the payload, which is too large for that queue as well, and the MQTT 5 properties if they are too large.
 */
export function storeIn(put: Put, deadLetter: DeadLetterOptions): Store {
  const { send } = deadLetterQueue(deadLetter);
  const { task, functionArn, targetArn, log } = deadLetter;

  async function deadLetterAll(envelopes: readonly Envelope[]): Promise<readonly boolean[]> {
    if (envelopes.length === 0) return [];
    log({ level: 'warn', task, event: 'messages too large for the buffer', count: envelopes.length });
    return send(
      envelopes.map((envelope) => ({
        body: deadLetterBody(envelope),
        messageId: envelope.id,
        error: new NeverRetry(
          'MESSAGE_TOO_LARGE',
          `the payload has ${Buffer.byteLength(envelope.payload, 'base64')} bytes; a buffer takes about 780,000 with the properties`,
        ),
        exhausted: 'None',
        retryAttempts: 0,
        ruleArn: functionArn,
        targetArn,
        stage: 'decode',
        firstSeen: envelope.timestamp,
      })),
    );
  }

  return async (envelopes) => {
    const entries = envelopes.map((envelope) => ({ envelope, body: escaped(JSON.stringify(envelope)) }));
    const isTooLarge = entries.map(({ body }) => isOverLimit(body));
    const [stored, dead] = await Promise.all([
      put(entries.filter((_, index) => !isTooLarge[index])),
      deadLetterAll(envelopes.filter((_, index) => isTooLarge[index])),
    ]);
    const [fits, others] = [stored.values(), dead.values()];
    return isTooLarge.map((tooLarge) => (tooLarge ? others : fits).next().value ?? false);
  };
}

function isOverLimit(body: string): boolean {
  return Buffer.byteLength(body) > MAX_BYTES - MAX_KEY_BYTES;
}

/** A dead letter that the queue refused would hold back the acknowledgements of all later messages. */
function deadLetterBody(envelope: Envelope): string {
  const body = JSON.stringify({ ...envelope, payload: '' });
  // SQS also counts the attributes, about 12 KB at most.
  if (Buffer.byteLength(escaped(body)) <= MAX_BYTES / 2) return body;
  const { v, kind, id, topic, timestamp, qos, retain, dup } = envelope;
  return JSON.stringify({ v, kind, id, topic, timestamp, payload: '', qos, retain, dup });
}

/** Writes to a queue. */
export function toQueue(api: SqsApi, queueUrl: string, log: (entry: object) => void): Put {
  return (entries) =>
    sendAll(
      entries.map(({ body }) => ({ MessageBody: body })),
      { api, queueUrl, what: 'received message', log },
    );
}
