import type * as z from 'zod';
import type { ReceivedBatch, TaskBuffer } from '../buffer/buffer.ts';
import type { ArrivedRecord, ReadRequest } from '../core/control-requests.ts';
import { resolveDeployTime } from '../core/deploy-time.ts';
import { RULE_ARNS, readVariable, TARGET_ARN } from '../core/environment.ts';
import { NeverRetry } from '../core/errors.ts';
import { readRuleArns } from '../core/rule-arns.ts';
import { routedOptions } from '../core/sink-options.ts';
import type { RouteTo, TaskSpec } from '../core/spec.ts';
import type { Outcome, SinkDefinition, SinkEnvironment } from '../deliver/sink.ts';
import { fingerprintOf, stillOwed } from './children.ts';
import { type BatchFacts, compileDisposition, stopOf } from './disposition.ts';
import {
  type BatchReport,
  type Blocker,
  type BufferMessage,
  type DeadLetters,
  type Delivery,
  firstSeenAt,
  type Progress,
} from './message.ts';
import { compilePipeline, newProgress, prepare } from './pipeline.ts';
import { divide, isSuspect, isWatched, type Start, watchedVisibilitySeconds } from './quarantine.ts';
import { rateLimited } from './rate-limit.ts';
import { mergeReports } from './report.ts';
import { send } from './send.ts';
import { settlement } from './settlement.ts';
import { blockerId, type SkippedMessages } from './skipped-messages.ts';
import type { StoppedTime } from './stopped-time.ts';

export interface Worker {
  /** Takes a batch from decode to its settlement. */
  process(
    batch: Pick<ReceivedBatch, 'messages' | 'remove' | 'shortenVisibility' | 'isProbe' | 'shard'>,
    context: WorkerContext,
  ): Promise<BatchReport>;
  /** @throws StopTask, RetryLater when the sink cannot be reached or used. */
  testConnectivity(): Promise<string>;
  /** Reads what arrived at the sink's target. @throws for a sink whose target a worker cannot read */
  read(request: ReadRequest, timeoutMs: number): Promise<readonly ArrivedRecord[]>;
  close(): void | Promise<void>;
}

export interface WorkerContext {
  /** Milliseconds until the function is stopped. */
  readonly remainingMs: () => number;
  readonly buffer: Pick<TaskBuffer, 'requeue' | 'order' | 'retryMode'>;
}

/** What a worker runs with beside its specification. */
export interface WorkerSetup extends SinkEnvironment {
  readonly deadLetters: DeadLetters;
  /** @default - the task was never paused or stopped */
  readonly stopped?: StoppedTime;
  /** Called with where the sink stored each record, if the log level is `debug`. */
  readonly onReceipts?: (receipts: readonly Receipt[]) => void;
  /** @default - no message was skipped */
  readonly skipped?: SkippedMessages;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** 0 to 1, 1 excluded. @default Math.random */
  readonly random?: () => number;
}

/** Where a sink stored a record. */
export interface Receipt {
  /** Id of the message, or of its child. */
  readonly id: string;
  /** Of Kinesis the shard and sequence number; of RocketMQ the broker, queue and offset, or what a proxy gives. */
  readonly receipt: string;
}

/** Kept from the sink for dead letters and requeued messages. */
const RESERVE_MS = 10_000;

/** Makes the worker of one task; everything that can be is compiled here, once. @throws InvalidOptionError */
export function createWorker<Schema extends z.ZodType, Request>(
  spec: TaskSpec<z.output<Schema>>,
  definition: SinkDefinition<Schema, Request>,
  setup: WorkerSetup,
): Worker {
  const {
    env,
    deadLetters,
    stopped = NEVER_STOPPED,
    skipped = NONE_SKIPPED,
    now = Date.now,
    random = Math.random,
  } = setup;
  const { renders, targets } = compileTargets(spec, definition, setup);
  const opened = definition.open(resolveDeployTime(spec.sink, env), setup);
  const sink = spec.recordsPerSecond === undefined ? opened : rateLimited(opened, spec.recordsPerSecond);
  const pipeline = compilePipeline(spec, renders);
  const dispositionOf = compileDisposition(spec, random);
  const fingerprint = fingerprintOf(spec);
  /** Devices whose messages met stop errors since the last delivery. */
  const stoppedDevices = new Set<string>();
  const targetArn = readVariable(env, TARGET_ARN);
  const anyTarget = targets.length === 1 ? targets[0]! : '*';
  const settle = settlement<Request>({
    filters: spec.source.filters,
    ruleArns: readRuleArns(readVariable(env, RULE_ARNS)),
    target: (request) =>
      targetArn.replace(/\*$/, () => (request === undefined ? anyTarget : definition.target(request))),
    fingerprint,
    deadLetters,
    random,
  });

  /** The children of a message that are to be delivered; a message whose stage failed counts as one. */
  function deliveriesOf(message: BufferMessage, progress: Progress<Request>): Delivery<Request>[] {
    if (progress.error !== undefined) return [{ message, progress }];
    const { children } = progress;
    if (children.length === 0) return [];
    progress.stage = 'deliver';
    return stillOwed(message.children, fingerprint, children.length).map((child) => ({ message, progress, child }));
  }

  /** The time during which the task did not run is read only for messages that look expired. */
  function stoppedMs({ message, progress }: Delivery<Request>, at: number): number | Promise<number> {
    const { requestTtlSeconds: ttl } = spec;
    if (ttl === undefined || progress.error !== undefined) return 0;
    const since = firstSeenAt(message, progress.envelope);
    return at - since <= ttl * 1000 ? 0 : stopped.within(since, at);
  }

  /** The request of a delivery, which expires at its receivers when the request TTL ends. */
  function requestOf(
    { message, progress, child }: Delivery<Request>,
    { now, stoppedMs }: Pick<BatchFacts, 'now' | 'stoppedMs'>,
  ): Request {
    const { request } = progress.children[child!]!;
    const { requestTtlSeconds: ttl } = spec;
    if (ttl === undefined || definition.expiring === undefined) return request;
    const ageSeconds = (now - firstSeenAt(message, progress.envelope) - stoppedMs) / 1000;
    return definition.expiring(request, Math.max(1, Math.ceil(ttl - ageSeconds)));
  }

  /** Whether a delivery blocks the task. One that the operator skipped is dead-lettered instead. */
  async function isBlocking(delivery: Delivery<Request>): Promise<boolean> {
    const blocks = blocksOf(delivery);
    if (blocks === undefined) return false;
    if (!(await skipped.has(blockerId(delivery)))) return true;
    delivery.disposition = { to: 'deadLetter', ...blocks };
    return false;
  }

  async function deliver(
    messages: readonly BufferMessage[],
    { remainingMs, buffer }: WorkerContext,
    { isProbe = false, shard }: Pick<ReceivedBatch, 'isProbe' | 'shard'>,
  ) {
    const progresses = await prepare(messages, pipeline);
    const deliveries = messages.flatMap((message, i) => deliveriesOf(message, progresses[i]!));
    const filtered = progresses.filter(({ error, children }) => error === undefined && children.length === 0).length;

    let facts: BatchFacts = { ...NOTHING_HAPPENED, now: now(), retryMode: buffer.retryMode };
    const requests: Request[] = [];
    for (const delivery of deliveries) {
      const pending = stoppedMs(delivery, facts.now);
      const own = pending === 0 ? facts : { ...facts, stoppedMs: await pending };
      delivery.disposition = dispositionOf(delivery, own);
      const blocks = blocksOf(delivery) !== undefined && (await isBlocking(delivery));
      if (blocks && buffer.order !== undefined) facts = { ...facts, isBehindBlocker: true };
      if (delivery.disposition === undefined) requests.push(requestOf(delivery, own));
    }

    const sent = deliveries.filter(({ disposition }) => disposition === undefined);
    const outcomes = await send(sink, requests, {
      remainingMs: () => remainingMs() - RESERVE_MS,
      order: buffer.order,
      shard,
    });
    if (spec.logLevel === 'debug') setup.onReceipts?.(receiptsOf(sent, outcomes));
    const stop = stopOf(sent, outcomes, { isProbe }, stoppedDevices);
    const after: BatchFacts = {
      ...NOTHING_HAPPENED,
      now: now(),
      retryMode: buffer.retryMode,
      isStopped: stop !== undefined,
      isOneDevice: stop?.isOneDevice === true,
      isProbe,
    };
    for (const [i, delivery] of sent.entries()) {
      delivery.disposition = dispositionOf(delivery, after, outcomes[i]!);
      if (blocksOf(delivery) !== undefined) await isBlocking(delivery);
    }
    return settle(deliveries, buffer.requeue, { received: messages.length, filtered, stop });
  }

  /** Requeues what leaves a quarantined batch, ahead of the report, so that a crash does not return it to the queue. */
  async function leave(
    messages: readonly BufferMessage[],
    start: Start,
    remove: ReceivedBatch['remove'],
    { buffer }: WorkerContext,
  ): Promise<BatchReport> {
    const deliveries = messages.map((message): Delivery<Request> => {
      const reason = 'a message that may have stopped the function is processed alone';
      const disposition = { to: 'defer', delaySeconds: 0, reason } as const;
      return { message, progress: newProgress(), isSuspect: isSuspect(message, start), disposition };
    });
    const report = await settle(deliveries, buffer.requeue, { received: messages.length, filtered: 0 });
    const kept = new Set(report.failed);
    await remove?.(messages.filter(({ id }) => !kept.has(id)));
    return report;
  }

  async function giveUp(messages: readonly BufferMessage[], { buffer }: WorkerContext): Promise<BatchReport> {
    const deliveries = messages.map((message): Delivery<Request> => {
      const error = new NeverRetry('CRASHED', 'the function stopped each time it processed this message alone');
      return { message, progress: { ...newProgress(), error }, isSuspect: true };
    });
    const facts = { ...NOTHING_HAPPENED, now: now(), retryMode: buffer.retryMode };
    for (const delivery of deliveries) {
      delivery.disposition = dispositionOf(delivery, facts)!;
      await isBlocking(delivery);
    }
    return settle(deliveries, buffer.requeue, { received: messages.length, filtered: 0 });
  }

  return {
    async process(batch, context) {
      const { messages, remove, shortenVisibility } = batch;
      const start = { now: now(), timeoutMs: context.remainingMs() };
      const { taken, leaving, isCrashing } = divide(messages, start);
      const left = leaving.length === 0 ? undefined : await leave(leaving, start, remove, context);
      const watched = taken.filter(isWatched);
      if (watched.length > 0) await shortenVisibility?.(watched, watchedVisibilitySeconds(start));
      const report = await (isCrashing ? giveUp(taken, context) : deliver(taken, context, batch));
      return left === undefined ? report : mergeReports(left, report);
    },
    testConnectivity: () => sink.testConnectivity(targets),
    async read(request, timeoutMs) {
      if (definition.read === undefined)
        throw new Error(`the worker of a ${definition.type} sink cannot read its target`);
      return definition.read(resolveDeployTime(spec.sink, env), setup, { ...request, timeoutMs });
    },
    close: () => sink.close(),
  };
}

/** Compiles the rendering of each route, or of the sink alone, and lists where they send to. */
function compileTargets<Schema extends z.ZodType, Request>(
  spec: TaskSpec<z.output<Schema>>,
  definition: SinkDefinition<Schema, Request>,
  { env }: SinkEnvironment,
) {
  const targets = new Set<string>();
  const compile = (own?: RouteTo) => {
    const options = own === undefined ? spec.sink : routedOptions(definition, spec.sink, own, 'route.sink');
    const resolved = resolveDeployTime(options, env);
    targets.add(definition.target(resolved));
    return definition.compile(resolved, spec.missingVariable);
  };
  const renders = spec.route === undefined ? [compile()] : spec.route.routes.map(compile);
  return { renders, targets: [...targets] };
}

const NOTHING_HAPPENED = {
  stoppedMs: 0,
  isBehindBlocker: false,
  isStopped: false,
  isOneDevice: false,
  isProbe: false,
};
const NEVER_STOPPED: StoppedTime = { within: async () => 0 };
const NONE_SKIPPED: SkippedMessages = { has: async () => false };

function blocksOf({ disposition }: Delivery<unknown>): Blocker | undefined {
  return disposition?.to === 'defer' ? disposition.blocks : undefined;
}

function receiptsOf(sent: readonly Delivery<unknown>[], outcomes: readonly Outcome[]): Receipt[] {
  return sent.flatMap(({ progress, child }, i) => {
    const outcome = outcomes[i]!;
    if (outcome.status !== 'delivered' || outcome.receipt === undefined) return [];
    return [{ id: progress.children[child!]!.id, receipt: outcome.receipt }];
  });
}
