import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import type { DeadLetterCode } from '../../lambdas/core/errors.ts';
import type { PeekedMessage } from '../../localstack/one-process/queue/message.ts';
import type { RunningTask } from '../../localstack/one-process/task.ts';
import { idIn, type Publication } from './publication.ts';

/** Where the messages of one task ended, read from its sink, its queues and its dead letters, never from its counters. */
export interface Balance {
  readonly task: string;
  /** Published and acknowledged. */
  readonly accepted: number;
  readonly filtered: number;
  /** Messages in the sink, once or more often. */
  readonly delivered: number;
  /** Messages that are dead letters and not in the sink, by their reasons. */
  readonly deadLettered: Readonly<Record<string, number>>;
  /** Messages that are only in a buffer. */
  readonly buffered: number;
  /** Copies beyond the first, in the sink and among the dead letters; one that is in both counts as well. */
  readonly duplicates: number;
  /** Ids of accepted messages that were found nowhere. */
  readonly lost: readonly string[];
  /** Unexpected records and dead letters. */
  readonly unexplained: readonly string[];
}

export interface Ledger {
  /** Records a message before it is published. */
  published(publication: Publication): void;
  /** Records that a message was acknowledged: from now on it must not be lost. */
  acknowledged(id: string): void;
  /** Reads the records of the sink's stream that were not read before. */
  collect(): Promise<void>;
  /** Ids read from the sink so far, with the number of copies of each. */
  readonly delivered: ReadonlyMap<string, number>;
  /** Reads sink, dead letters and buffers, and returns the balance. */
  balance(): Promise<Balance>;
}

export interface LedgerOptions {
  readonly task: RunningTask;
  /** A client of the sink that no fault affects. */
  readonly client: KinesisClient;
  readonly stream: string;
  /** Error codes of DLQ messages that an injected fault explains. */
  readonly reasons: readonly DeadLetterCode[];
}

/** Opens the ledger of a task. The publication of a message has the expected data; the message's id is read from the data. */
export function openLedger({ task, client, stream, reasons }: LedgerOptions): Ledger {
  const publications = new Map<string, Publication>();
  const acknowledged = new Set<string>();
  const delivered = new Map<string, number>();
  const unexplained = new Set<string>();
  const positions = new Map<string, string>();

  function arrived(data: Uint8Array): void {
    const id = idIn(data);
    const publication = id === undefined ? undefined : publications.get(id);
    if (id === undefined || publication === undefined) {
      unexplained.add(`in the sink, never published: ${Buffer.from(data).toString('latin1').slice(0, 80)}`);
      return;
    }
    delivered.set(id, (delivered.get(id) ?? 0) + 1);
    if (publication.verdict !== 'delivered') unexplained.add(`in the sink, though ${publication.verdict}: ${id}`);
    else if (!Buffer.from(data).equals(Buffer.from(publication.data))) unexplained.add(`in the sink, changed: ${id}`);
  }

  async function readShard(shard: string): Promise<void> {
    const after = positions.get(shard);
    let { ShardIterator: iterator } = await client.send(
      new GetShardIteratorCommand({
        StreamName: stream,
        ShardId: shard,
        ...(after === undefined
          ? { ShardIteratorType: 'TRIM_HORIZON' }
          : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: after }),
      }),
    );
    while (iterator !== undefined) {
      const answer = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
      for (const { Data, SequenceNumber } of answer.Records!) {
        arrived(Data!);
        positions.set(shard, SequenceNumber!);
      }
      if (answer.Records!.length === 0 && !answer.MillisBehindLatest) return;
      iterator = answer.NextShardIterator;
    }
  }

  /** Dead letters by id, each with the reason of its latest copy. */
  function deadLetters(): Map<string, { code: string; copies: number }> {
    const dead = new Map<string, { code: string; copies: number }>();
    for (const message of task.deadLetterQueue!.peek()) {
      const code = message.attributes?.['ERROR_CODE']?.stringValue ?? `none of ten attributes`;
      const id = idOfMessage(message);
      const publication = publications.get(id ?? '');
      if (id === undefined || publication === undefined) {
        unexplained.add(`a dead letter, never published: ${message.body.slice(0, 80)}`);
        continue;
      }
      const isOwnFault = code === publication.verdict;
      const isSinksFault = publication.verdict === 'delivered' && (reasons as readonly string[]).includes(code);
      // A crash takes along whatever is in its batch.
      const isCrash = code === 'CRASHED' && reasons.includes('CRASHED');
      if (!isOwnFault && !isSinksFault && !isCrash)
        unexplained.add(`dead-lettered for ${code}, though ${publication.verdict}: ${id}`);
      dead.set(id, { code, copies: (dead.get(id)?.copies ?? 0) + 1 });
    }
    return dead;
  }

  async function collect(): Promise<void> {
    const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }));
    for (const { ShardId } of Shards) await readShard(ShardId!);
  }

  return {
    published: (publication) => void publications.set(publication.id, publication),
    acknowledged: (id) => void acknowledged.add(id),
    collect,
    delivered,
    async balance() {
      await collect();
      const dead = deadLetters();
      const buffers = [task.queue!, task.retryQueue!].flatMap((queue) => queue.peek());
      const buffered = new Set(buffers.map(idOfMessage));
      const counts = { filtered: 0, delivered: 0, buffered: 0 };
      const deadLettered: Record<string, number> = {};
      const lost: string[] = [];
      for (const id of acknowledged) {
        const code = dead.get(id)?.code;
        if (delivered.has(id)) counts.delivered++;
        else if (code !== undefined) deadLettered[code] = (deadLettered[code] ?? 0) + 1;
        else if (buffered.has(id)) counts.buffered++;
        else if (publications.get(id)!.verdict === 'filtered') counts.filtered++;
        else lost.push(id);
      }
      let duplicates = 0;
      for (const [id, copies] of delivered) duplicates += copies - 1 + (dead.has(id) ? 1 : 0);
      for (const { copies } of dead.values()) duplicates += copies - 1;
      return {
        task: task.name,
        accepted: acknowledged.size,
        ...counts,
        deadLettered,
        duplicates,
        lost,
        unexplained: [...unexplained],
      };
    },
  };
}

/** Nothing is lost, nothing is unexplained, and nothing is left in a buffer. */
export function isBalanced({ buffered, lost, unexplained }: Balance): boolean {
  return buffered === 0 && lost.length === 0 && unexplained.length === 0;
}

/** One line for each task, and what is wrong below. */
export function showBalances(balances: readonly Balance[]): string {
  const head = ['task', 'accepted', 'filtered', 'delivered', 'dead', 'buffered', 'lost', 'unexplained', 'duplicates'];
  const rows = balances.map((balance) => [
    balance.task,
    balance.accepted,
    balance.filtered,
    balance.delivered,
    Object.values(balance.deadLettered).reduce((sum, count) => sum + count, 0),
    balance.buffered,
    balance.lost.length,
    balance.unexplained.length,
    balance.duplicates,
  ]);
  const details = balances.flatMap(({ task, deadLettered, lost, unexplained }) => [
    `${task}: ${
      Object.entries(deadLettered)
        .map(([code, count]) => `${count} ${code}`)
        .join(', ') || 'no dead letters'
    }`,
    ...lost.slice(0, SHOWN).map((id) => `${task}: lost ${id}`),
    ...unexplained.slice(0, SHOWN).map((text) => `${task}: ${text}`),
  ]);
  const lines = [head, ...rows].map((row) => row.map((cell, i) => String(cell)[i === 0 ? 'padEnd' : 'padStart'](12)));
  return [...lines.map((cells) => cells.join('')), '', ...details].join('\n');
}

const SHOWN = 10;

function idOfMessage({ body }: PeekedMessage): string | undefined {
  return idIn(Buffer.from((JSON.parse(body) as { payload: string }).payload, 'base64'));
}
