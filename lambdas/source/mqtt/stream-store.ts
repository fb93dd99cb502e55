import { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import type { Put } from './store.ts';

const TIMEOUT_MS = 10_000;
/** Limits of PutRecords (Amazon Kinesis Data Streams, "PutRecords"). */
const MAX_RECORDS = 500;
const MAX_BYTES = 5 * 1024 * 1024;
const MAX_KEY_CHARACTERS = 256;

/** Writes to a stream, keyed by topic: a broker does not report the publisher, and most devices have topics to themselves. */
export function toStream(
  streamName: string,
  log: (entry: object) => void,
  client: Pick<KinesisClient, 'send'> = new KinesisClient({ maxAttempts: 2 }),
): Put {
  return async (entries) => {
    const stored: boolean[] = [];
    for (let from = 0; from < entries.length; ) {
      let bytes = 0;
      let to = from;
      while (to < entries.length && to - from < MAX_RECORDS) {
        bytes += Buffer.byteLength(entries[to]!.body) + MAX_KEY_CHARACTERS;
        if (bytes > MAX_BYTES && to > from) break;
        to++;
      }
      const Records = entries.slice(from, to).map(({ envelope, body }) => ({
        Data: Buffer.from(body),
        PartitionKey: [...envelope.topic].slice(0, MAX_KEY_CHARACTERS).join(''),
      }));
      stored.push(...(await put(Records)));
      from = to;
    }
    return stored;
  };

  async function put(Records: { Data: Buffer; PartitionKey: string }[]): Promise<boolean[]> {
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
