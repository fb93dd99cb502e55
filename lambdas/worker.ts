import type * as z from 'zod';
import { NeverRetry, RetryLater, type Stage, StopTask } from './core/errors.ts';
import type { ExhaustedRetryCondition } from './core/retry.ts';
import { resolveDeployTime, type TaskSpec } from './core/spec.ts';
import { matchesTopicFilter } from './core/topic-filter.ts';
import type { DeadLetter, DeadLetters } from './dead-letter.ts';
import type { DeliverContext, Outcome, Sink, SinkDefinition, SinkEnvironment } from './deliver/sink.ts';
import { compileExpiry, type StoppedTime } from './expiry.ts';
import { asPassing, compileFates, type Fate } from './fate.ts';
import { paced } from './pace.ts';
import type { Requeued, RetryQueue } from './retry-queue.ts';
import { compileStages, type Progress, type Stages } from './stages.ts';

/** A message as the buffer holds it. */
export interface BufferMessage {
  /** The buffer's own id, by which a failure is reported. */
  readonly id: string;
  readonly body: string;
  /** When the buffer took it: milliseconds since 1970. */
  readonly sentAt: number;
  /** Retries that it has had. */
  readonly attempt: number;
  /** When the task saw it first: milliseconds since 1970. */
  readonly firstSeen: number;
  /** Which of its children are still owed; all when absent. */
  readonly children?: readonly number[] | undefined;
  /** Since when it is known to fail, where the buffer repeats it by itself: milliseconds since 1970. */
  readonly failingSince?: number | undefined;
}

/** What became of a batch: messages in `received`, `filtered` and `failed`, else records, of which a message is one or more. */
export interface BatchReport {
  readonly received: number;
  readonly filtered: number;
  readonly delivered: number;
  readonly deadLettered: number;
  /** Sent to come again after a try that failed. */
  readonly retried: number;
  /** Sent to come again without having been tried, or because they may not leave. */
  readonly parked: number;
  /** Too old, and dropped as the task asks. */
  readonly expired: number;
  /** Out of retries, and dropped as the task asks. */
  readonly dropped: number;
  /** Ids of messages that stay in the buffer. */
  readonly failed: readonly string[];
  /** Why records are not delivered yet, first reason first; at most a few. */
  readonly reasons: readonly string[];
  /** Why the task as a whole cannot go on. */
  readonly halt: Halt | undefined;
}

/** Why a task is to be stopped: nothing but {@link StopTask} came of a batch, or a message may not leave the way. */
export interface Halt {
  readonly kind: 'stopped' | 'blocked';
  readonly cause: string;
}

export interface Worker {
  /** Takes a batch through decode → filter → render → deliver. It never throws. */
  process(messages: readonly BufferMessage[], context: DeliverContext): Promise<BatchReport>;
  /** Dead-letters a message that kills the function. @returns whether it left the buffer. */
  giveUp(message: BufferMessage): Promise<BatchReport>;
  /** @throws StopTask, RetryLater when the sink cannot be reached or used. */
  testConnectivity(): Promise<string>;
  close(): void | Promise<void>;
}

export interface WorkerEnvironment extends SinkEnvironment {
  readonly deadLetters: DeadLetters;
  readonly retries: RetryQueue;
  /** @default it never was */
  readonly stopped?: StoppedTime;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** 0 to 1, 1 excluded. @default Math.random */
  readonly random?: () => number;
}

/** What a worker is put together from. */
export interface WorkerParts<Request> {
  readonly stages: Stages<Request>;
  readonly sink: Sink<Request>;
  /** ARN or address of where a request goes. */
  readonly target: (request?: Request) => string;
}

/** Kept back from the sink, for re-sends and dead letters of its own. */
const RESERVE_MS = 10_000;
const REASONS_AT_MOST = 3;

/** Makes the worker of one task; everything that can be is compiled here, once. */
export function createWorker<Schema extends z.ZodType, Request>(
  spec: TaskSpec<z.output<Schema>>,
  definition: SinkDefinition<Schema, Request>,
  environment: WorkerEnvironment,
): Worker {
  const options = resolveDeployTime(spec.sink, environment.env);
  const sink = definition.open(options, environment);
  return assembleWorker(
    spec,
    {
      stages: compileStages(spec, definition.compile(options, spec.missingVariable)),
      sink: spec.recordsPerSecond === undefined ? sink : paced(sink, spec.recordsPerSecond),
      target: (request) => definition.target(options, environment.env, request),
    },
    environment,
  );
}

/** Puts a worker together. */
export function assembleWorker<Request>(
  spec: TaskSpec,
  { stages, sink, target }: WorkerParts<Request>,
  { env, deadLetters, retries, stopped = NEVER_STOPPED, now = Date.now, random = Math.random }: WorkerEnvironment,
): Worker {
  const fates = compileFates(spec, random);
  const isExpired = compileExpiry(spec.requestTtlSeconds, stopped);
  const order = spec.buffer.type === 'stream' ? spec.buffer.order : undefined;
  const ruleArns = (env['RULE_ARNS'] ?? '').split(',');

  /** One request of a message, on its way to its one end. */
  interface Parcel {
    readonly message: BufferMessage;
    readonly at: Progress<Request>;
    /** Its number among the message's requests; undefined for a message that never became any. */
    readonly child?: number;
    fate?: Fate;
  }

  function letterOf({ message, at, child }: Parcel, error: NeverRetry, exhausted: ExhaustedRetryCondition): DeadLetter {
    const { envelope, requests } = at;
    const topic = envelope?.topic;
    const rule = topic === undefined ? 0 : spec.source.filters.findIndex((filter) => matchesTopicFilter(filter, topic));
    const id = envelope?.id ?? message.id;
    return {
      body: message.body,
      error,
      stage: at.stage,
      messageId: requests !== undefined && requests.length > 1 && child !== undefined ? `${id}#${child}` : id,
      firstSeen: message.firstSeen,
      retryAttempts: message.attempt,
      exhausted,
      ruleArn: ruleArns[rule] ?? ruleArns[0]!,
      targetArn: target(child === undefined ? undefined : requests?.[child]),
    };
  }

  /** Sends what is dead-lettered, retried and parked on its way, and says what became of it all. */
  async function settle(
    parcels: readonly Parcel[],
    counts: Pick<BatchReport, 'received' | 'filtered' | 'delivered' | 'expired'>,
    stop: string | undefined,
  ): Promise<BatchReport> {
    const failed = new Set<string>();
    const reasons = new Set<string>();
    const ends = { deadLettered: 0, retried: 0, parked: 0, dropped: 0 };
    let block: string | undefined;

    const dead = parcels.flatMap((parcel) => {
      const { fate } = parcel;
      return fate?.to === 'deadLetter' ? [{ parcel, letter: letterOf(parcel, fate.error, fate.exhausted) }] : [];
    });
    const stored = await sendAll(
      deadLetters,
      dead.map(({ letter }) => letter),
    );
    dead.forEach(({ parcel }, i) => {
      if (stored[i]) ends.deadLettered++;
      else parcel.fate = fates.ofUnstored();
    });

    const again = new Map<string, { message: BufferMessage; all: Parcel[]; attempt: number; delaySeconds: number }>();
    for (const parcel of parcels) {
      const { fate, message } = parcel;
      if (fate?.to === 'drop') ends.dropped++;
      if (fate?.to !== 'retry' && fate?.to !== 'park') continue;
      if (fate.to === 'park') block ??= fate.blocks;
      if (reasons.size < REASONS_AT_MOST) reasons.add(fate.reason);
      const attempt = fate.to === 'retry' ? fate.attempt : message.attempt;
      const key = `${attempt} ${message.id}`;
      const group = again.get(key) ?? { message, all: [], attempt, delaySeconds: 0 };
      group.all.push(parcel);
      // Children that come again together come when the last of them may.
      group.delaySeconds = Math.max(group.delaySeconds, fate.delaySeconds);
      again.set(key, group);
    }
    const groups = [...again.values()];
    const kept = await sendAll(
      retries,
      groups.map(({ message, all, attempt, delaySeconds }): Requeued => {
        const [{ at, child }] = all as [Parcel];
        const isWhole = child === undefined || all.length === at.requests!.length;
        const children = isWhole ? undefined : all.map((parcel) => parcel.child!);
        const { id, body, firstSeen } = message;
        return { id, body, firstSeen, attempt, children, delaySeconds };
      }),
    );
    groups.forEach(({ message, all }, i) => {
      if (!kept[i]) failed.add(message.id);
      else for (const { fate } of all) ends[fate!.to === 'retry' ? 'retried' : 'parked']++;
    });

    let halt: Halt | undefined;
    if (block !== undefined) halt = { kind: 'blocked', cause: block };
    else if (stop !== undefined) halt = { kind: 'stopped', cause: stop };
    return { ...counts, ...ends, failed: [...failed], reasons: [...reasons], halt };
  }

  return {
    async process(messages, context) {
      const parcels: Parcel[] = [];
      let filtered = 0;
      let expired = 0;
      for (const message of messages) {
        const at: Progress<Request> = { stage: 'decode' };
        try {
          if (!stages(message, at)) {
            filtered++;
            continue;
          }
          at.stage = 'deliver';
          const parcelsOfMessage = owed(message, at.requests!.length).map((child): Parcel => ({ message, at, child }));
          if (isExpired !== undefined && (await isExpired(message, at.envelope!, now()))) {
            if (spec.onExpired === 'drop') {
              expired += parcelsOfMessage.length;
              continue;
            }
            const age = Math.round((now() - message.firstSeen) / 1000);
            const error = new NeverRetry('EXPIRED', `it is ${age} s old; its time is ${spec.requestTtlSeconds} s`);
            // Waiting longer would not make it younger, so this letter never blocks.
            for (const parcel of parcelsOfMessage) parcel.fate = { to: 'deadLetter', error, exhausted: 'None' };
          }
          const spent = fates.ofSpent(message);
          if (spent !== undefined) for (const parcel of parcelsOfMessage) parcel.fate ??= spent;
          parcels.push(...parcelsOfMessage);
        } catch (error) {
          parcels.push({ message, at, fate: fates.ofDead(asNeverRetry(error, at.stage)) });
        }
      }

      const sent = parcels.filter(({ fate }) => fate === undefined);
      const outcomes = await attempt(
        sink,
        sent.map(({ at, child }) => at.requests![child!]!),
        { remainingMs: () => context.remainingMs() - RESERVE_MS, order },
      );
      const tried = outcomes.filter(({ status }) => status !== 'unsent');
      const stops = tried.filter((outcome) => outcome.status === 'stop');
      const isStopped = stops.length > 0 && stops.length === tried.length;
      let delivered = 0;
      sent.forEach((parcel, i) => {
        const outcome = isStopped ? outcomes[i]! : asPassing(outcomes[i]!);
        if (outcome.status === 'delivered') delivered++;
        else parcel.fate = fates.of(outcome, parcel.message, now());
      });
      const stop = isStopped ? stops[0]!.error.message : undefined;
      return settle(parcels, { received: messages.length, filtered, delivered, expired }, stop);
    },
    giveUp(message) {
      const at: Progress<Request> = { stage: 'decode' };
      const error = new NeverRetry('CRASHED', 'the function stopped each time it took this message alone');
      const parcel: Parcel = { message, at, fate: { to: 'deadLetter', error, exhausted: 'None' } };
      return settle([parcel], { received: 1, filtered: 0, delivered: 0, expired: 0 }, undefined);
    },
    testConnectivity: () => sink.testConnectivity(),
    close: () => sink.close(),
  };
}

const NEVER_STOPPED: StoppedTime = { within: async () => 0 };
const NO_OUTCOME: Outcome = { status: 'retry', error: new RetryLater('the sink gave no outcome') };

// A configuration that changed may make other children of the same envelope: then all of them are owed once more.
function owed({ children }: BufferMessage, count: number): number[] {
  const isKnown = children?.every((child) => child < count) ?? false;
  return isKnown ? [...children!] : Array.from({ length: count }, (_, child) => child);
}

async function attempt<Request>(
  sink: Sink<Request>,
  requests: Request[],
  context: DeliverContext,
): Promise<readonly Outcome[]> {
  if (requests.length === 0) return [];
  try {
    const outcomes = await sink.deliver(requests, context);
    return requests.map((_, i) => outcomes[i] ?? NO_OUTCOME);
  } catch (cause) {
    const outcome: Outcome =
      cause instanceof StopTask
        ? { status: 'stop', error: cause }
        : {
            status: 'retry',
            error: cause instanceof RetryLater ? cause : new RetryLater(`the sink failed: ${nameOf(cause)}`, { cause }),
          };
    return requests.map(() => outcome);
  }
}

async function sendAll<Item>(
  to: { send(items: readonly Item[]): Promise<readonly boolean[]> },
  items: Item[],
): Promise<readonly boolean[]> {
  if (items.length === 0) return [];
  try {
    return await to.send(items);
  } catch {
    return items.map(() => false);
  }
}

// A stage that fails in a way nobody foresaw must not take its batch along.
function asNeverRetry(error: unknown, stage: Stage): NeverRetry {
  if (error instanceof NeverRetry) return error;
  return new NeverRetry('CRASHED', `${stage} failed: ${nameOf(error)}`, { cause: error });
}

// An error's text may quote the payload, so neither a dead letter nor the log has it.
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw a ${typeof error}`;
  const { name, code } = error as Error & { code?: unknown };
  return [name, code].filter((word) => typeof word === 'string' && /^\w{1,64}$/.test(word)).join(' ') || 'an error';
}
