import { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import type { Put } from './store.ts';

const TIMEOUT_MS = 10_000;
/** Limits of PutRecords (Amazon Kinesis Data Streams, "PutRecords"). */
const MAX_RECORDS = 500;
const MAX_BYTES = 5 * 1024 * 1024;
const MAX_KEY_CHARACTERS = 256;

/**
 * Writes to a stream, keyed by topic: a broker does not report the publisher, and most devices have topics to themselves. Each call of
 * PutRecords has at most one record of a topic, and the next one follows when it is stored, because PutRecords keeps no order among
 * records (Amazon Kinesis Data Streams, "PutRecords").
 */
export function toStream(
  streamName: string,
  log: (entry: object) => void,
  client: Pick<KinesisClient, 'send'> = new KinesisClient({ maxAttempts: 2 }),
): Put {
  return async (entries) => {
    const stored = entries.map(() => false);
    let left = entries.map(({ envelope, body }, index): Keyed => ({ index, body, key: partitionKey(envelope.topic) }));
    while (left.length > 0) {
      const { call, later } = nextCall(left);
      const results = await put(call);
      const failed = new Set<string>();
      for (const [at, { index, key }] of call.entries())
        if (results[at]) stored[index] = true;
        else failed.add(key);
      left = later.filter(({ key }) => !failed.has(key));
    }
    return stored;
  };

  async function put(call: readonly Keyed[]): Promise<boolean[]> {
    const Records = call.map(({ body, key }) => ({ Data: Buffer.from(body), PartitionKey: key }));
    try {
      const command = new PutRecordsCommand({ StreamName: streamName, Records });
      const answer = await client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
      const results = answer.Records ?? [];
      const failed = results.find(({ ErrorCode }) => ErrorCode !== undefined);
      if (failed !== undefined) log({ event: 'received message not stored', code: failed.ErrorCode });
      return Records.map((_, index) => results[index] !== undefined && results[index].ErrorCode === undefined);
    } catch (error) {
      log({ event: 'received message not stored', count: Records.length, reason: String(error) });
      return Records.map(() => false);
    }
  }
}

interface Keyed {
  /** Place among the entries. */
  readonly index: number;
  readonly body: string;
  readonly key: string;
}

function partitionKey(topic: string): string {
  return [...topic].slice(0, MAX_KEY_CHARACTERS).join('');
}

/** The first record of each key, as far as one call takes them, and the others. */
function nextCall(records: readonly Keyed[]): { call: Keyed[]; later: Keyed[] } {
  const call: Keyed[] = [];
  const later: Keyed[] = [];
  const keys = new Set<string>();
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(record.body) + Buffer.byteLength(record.key);
    const fits = call.length === 0 || (call.length < MAX_RECORDS && bytes + size <= MAX_BYTES);
    if (fits && !keys.has(record.key)) {
      call.push(record);
      bytes += size;
    } else later.push(record);
    // Later records of a key wait for one that waits.
    keys.add(record.key);
  }
  return { call, later };
}
