import type * as z from 'zod';
import { resolveDeployTime } from '../core/deploy-time.ts';
import { NeverRetry, RetryLater, type Stage, StopTask } from '../core/errors.ts';
import { readRuleArns } from '../core/rule-arns.ts';
import { routedOptions } from '../core/sink-options.ts';
import type { RouteTo, TaskSpec } from '../core/spec.ts';
import type { DeliverContext, Outcome, Sink, SinkDefinition, SinkEnvironment } from '../deliver/sink.ts';
import { compileRoutes } from '../step/route.ts';
import { childrenMadeBy, type OwedChildren, stillOwed } from './children.ts';
import type { DeadLetters } from './dead-letter.ts';
import { asPassing, compileFates } from './disposition.ts';
import { compileExpiry, firstSeenAt, type StoppedTime } from './expiry.ts';
import { compileStages, type Progress, type Stages } from './pipeline.ts';
import { paced } from './rate-limit.ts';
import type { RetryQueue } from './requeued.ts';
import { type Parcel, settlement } from './settlement.ts';

/** A message as the buffer holds it. */
export interface BufferMessage {
  /** The buffer's own id, by which a failure is reported. */
  readonly id: string;
  readonly body: string;
  /** When the buffer took it: milliseconds since 1970. */
  readonly sentAt: number;
  /** Retries that it has had. */
  readonly attempt: number;
  /** When the task saw it first, where that was told: milliseconds since 1970. Else see {@link firstSeenAt}. */
  readonly firstSeen?: number | undefined;
  /** Which of its children are still owed; all when absent. */
  readonly children?: OwedChildren | undefined;
  /** How long it is known to fail, where the buffer repeats it by itself. */
  readonly failingMs?: number | undefined;
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
  /** Dead-letters a message that kills the function, or has it block the way where the task wants that. */
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
  /** ARN or address of where a request goes; without one, of where any may go. */
  readonly target: (request?: Request) => string;
}

/** Kept back from the sink, for re-sends and dead letters of its own. */
const RESERVE_MS = 10_000;

/** Makes the worker of one task; everything that can be is compiled here, once. */
export function createWorker<Schema extends z.ZodType, Request>(
  spec: TaskSpec<z.output<Schema>>,
  definition: SinkDefinition<Schema, Request>,
  environment: WorkerEnvironment,
): Worker {
  const options = resolveDeployTime(spec.sink, environment.env);
  const opened = definition.open(options, environment);
  const targets = new Set<string>();
  const render = (own?: RouteTo) => {
    const routed = own === undefined ? spec.sink : routedOptions(definition, spec.sink, own, 'route.sink');
    const resolved = resolveDeployTime(routed, environment.env);
    targets.add(definition.target(resolved));
    return definition.compile(resolved, spec.missingVariable);
  };
  const stages = compileStages(spec, compileRoutes(spec.route, render));
  const sink = { ...opened, testConnectivity: () => opened.testConnectivity([...targets]) };
  const targetArn = environment.env['TARGET_ARN'] ?? '';
  const anyTarget = targets.size === 1 ? [...targets][0]! : '*';
  return assembleWorker(
    spec,
    {
      stages,
      sink: spec.recordsPerSecond === undefined ? sink : paced(sink, spec.recordsPerSecond),
      target: (request) =>
        targetArn.replace(/\*$/, () => (request === undefined ? anyTarget : definition.target(request))),
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

  const by = childrenMadeBy(spec);

  const settle = settlement(spec, {
    fates,
    by,
    deadLetters,
    retries,
    ruleArns: readRuleArns(env['RULE_ARNS']),
    target,
  });

  return {
    async process(messages, context) {
      const parcels: Parcel<Request>[] = [];
      let filtered = 0;
      let expired = 0;
      for (const message of messages) {
        const at: Progress<Request> = { stage: 'decode' };
        try {
          if (!stages(message, at) || at.requests!.length === 0) {
            filtered++;
            continue;
          }
          at.stage = 'deliver';
          const parcelsOfMessage = stillOwed(message.children, by, at.requests!.length).map(
            (child): Parcel<Request> => ({ message, at, child }),
          );
          const seenAt = firstSeenAt(message, at.envelope);
          if (isExpired !== undefined && (await isExpired(seenAt, now()))) {
            if (spec.onExpired === 'drop') {
              expired += parcelsOfMessage.length;
              continue;
            }
            const age = Math.round((now() - seenAt) / 1000);
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

      // What blocks an ordered way blocks it for all that come behind.
      const blocking = order === undefined ? -1 : parcels.findIndex(({ fate }) => fate?.to === 'park' && fate.blocks);
      if (blocking !== -1) for (const parcel of parcels.slice(blocking)) parcel.fate ??= fates.ofHeld();
      const sent = parcels.filter(({ fate }) => fate === undefined);
      const outcomes = await attempt(
        sink,
        sent.map(({ at, child }) => at.requests![child!]!),
        { remainingMs: () => context.remainingMs() - RESERVE_MS, order },
      );
      // What can never be delivered says nothing about the rest: many a reason is found before anybody is asked.
      const tried = outcomes.filter(({ status }) => status !== 'unsent' && status !== 'never');
      const stops = tried.filter((outcome) => outcome.status === 'stop');
      const isStopped = stops.length > 0 && stops.length === tried.length;
      let delivered = 0;
      sent.forEach((parcel, i) => {
        const outcome = isStopped ? outcomes[i]! : asPassing(outcomes[i]!);
        if (outcome.status === 'delivered') delivered++;
        else parcel.fate = fates.of(outcome, parcel, now());
      });
      const stop = isStopped ? stops[0]!.error.message : undefined;
      return settle(parcels, { received: messages.length, filtered, delivered, expired }, stop);
    },
    giveUp(message) {
      const at: Progress<Request> = { stage: 'decode' };
      const error = new NeverRetry('CRASHED', 'the function stopped each time it took this message alone');
      const parcel: Parcel<Request> = { message, at, fate: fates.ofDead(error), isSuspect: true };
      return settle([parcel], { received: 1, filtered: 0, delivered: 0, expired: 0 }, undefined);
    },
    testConnectivity: () => sink.testConnectivity(),
    close: () => sink.close(),
  };
}

const NEVER_STOPPED: StoppedTime = { within: async () => 0 };
const NO_OUTCOME: Outcome = { status: 'retry', error: new RetryLater('the sink gave no outcome') };

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
