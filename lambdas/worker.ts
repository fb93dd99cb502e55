import type * as z from 'zod';
import { decodeEnvelope, type Envelope } from './core/envelope.ts';
import { NeverRetry, RetryLater, type Stage, StopTask } from './core/errors.ts';
import { eventView } from './core/event.ts';
import { compilePattern } from './core/pattern/pattern.ts';
import { MqttRecord } from './core/record.ts';
import { ruleOutputView } from './core/rule-output.ts';
import { resolveDeployTime, type TaskSpec } from './core/spec.ts';
import { matchesTopicFilter } from './core/topic-filter.ts';
import type { DeadLetter, DeadLetters } from './dead-letter.ts';
import type { DeliverContext, Outcome, Sink, SinkDefinition, SinkEnvironment } from './deliver/sink.ts';

/** A message as the buffer holds it. */
export interface BufferMessage {
  /** The buffer's own id, by which a failure is reported. */
  readonly id: string;
  readonly body: string;
  /** When the buffer took it: milliseconds since 1970. */
  readonly sentAt: number;
}

/** What became of a batch. Every message received is in exactly one of the last four. */
export interface BatchReport {
  readonly received: number;
  readonly filtered: number;
  readonly delivered: number;
  readonly deadLettered: number;
  /** Ids of messages that stay in the buffer. */
  readonly failed: readonly string[];
  /** Why they stay, first reason first; at most a few. */
  readonly reasons: readonly string[];
}

export interface Worker {
  /** Takes a batch through decode → filter → render → deliver. It never throws. */
  process(messages: readonly BufferMessage[], context: DeliverContext): Promise<BatchReport>;
  close(): void | Promise<void>;
}

const REASONS_AT_MOST = 3;

/** Makes the worker of one task; everything that can be is compiled here, once. */
export function createWorker<Schema extends z.ZodType, Request>(
  spec: TaskSpec<z.output<Schema>>,
  definition: SinkDefinition<Schema, Request>,
  environment: SinkEnvironment & { readonly deadLetters: DeadLetters },
): Worker {
  const { env, deadLetters } = environment;
  const options = resolveDeployTime(spec.sink, env);
  const prepare = compileStages(spec, definition.compile(options, spec.missingVariable));
  const sink: Sink<Request> = definition.open(options, environment);
  const ruleArns = (env['RULE_ARNS'] ?? '').split(',');

  function deadLetter(
    message: BufferMessage,
    error: NeverRetry,
    stage: Stage,
    at: Partial<Prepared<Request>>,
  ): DeadLetter {
    const topic = at.envelope?.topic;
    const rule = topic === undefined ? 0 : spec.source.filters.findIndex((filter) => matchesTopicFilter(filter, topic));
    return {
      body: message.body,
      error,
      stage,
      messageId: at.envelope?.id ?? message.id,
      firstSeen: message.sentAt,
      retryAttempts: 0,
      exhausted: 'None',
      ruleArn: ruleArns[rule] ?? ruleArns[0]!,
      targetArn: definition.target(options, env, at.request),
    };
  }

  return {
    async process(messages, context) {
      const ready: { message: BufferMessage; prepared: Prepared<Request> }[] = [];
      const dead: { message: BufferMessage; letter: DeadLetter }[] = [];
      const failed: string[] = [];
      const reasons: string[] = [];
      let filtered = 0;
      let delivered = 0;
      const keep = ({ id }: BufferMessage, reason: string) => {
        failed.push(id);
        if (reasons.length < REASONS_AT_MOST && !reasons.includes(reason)) reasons.push(reason);
      };

      for (const message of messages) {
        const at: Progress<Request> = { stage: 'decode' };
        try {
          if (prepare(message, at)) ready.push({ message, prepared: at as Prepared<Request> });
          else filtered++;
        } catch (error) {
          dead.push({ message, letter: deadLetter(message, asNeverRetry(error, at.stage), at.stage, at) });
        }
      }

      const outcomes = await attempt(
        sink,
        ready.map(({ prepared }) => prepared.request),
        context,
      );
      ready.forEach(({ message, prepared }, i) => {
        const outcome: Outcome = outcomes[i] ?? { status: 'retry', error: new RetryLater('the sink gave no outcome') };
        if (outcome.status === 'delivered') delivered++;
        else if (outcome.status === 'never')
          dead.push({ message, letter: deadLetter(message, outcome.error, 'deliver', prepared) });
        else keep(message, outcome.error.message);
      });

      const stored =
        dead.length === 0
          ? []
          : await storeAll(
              deadLetters,
              dead.map(({ letter }) => letter),
            );
      dead.forEach(({ message }, i) => {
        if (!stored[i]) keep(message, 'its dead letter could not be stored');
      });
      const deadLettered = dead.filter((_, i) => stored[i]).length;
      return { received: messages.length, filtered, delivered, deadLettered, failed, reasons };
    },
    close: () => sink.close(),
  };
}

interface Prepared<Request> {
  readonly envelope: Envelope;
  readonly request: Request;
}

/** How far a message has come, known also when a stage throws. */
type Progress<Request> = { stage: Stage } & { -readonly [Key in keyof Prepared<Request>]?: Prepared<Request>[Key] };

/** The pure stages as one function: true when the message is to be delivered, false when the filter dropped it. */
function compileStages<Request>(
  spec: TaskSpec,
  render: (scope: object) => Request,
): (message: BufferMessage, at: Progress<Request>) => boolean {
  const pattern = spec.filter === undefined ? undefined : compilePattern(spec.filter);
  const toEvent = eventView(spec.source);
  const toRuleOutput = ruleOutputView(spec.source);
  return (message, at) => {
    const envelope = decodeEnvelope(message.body, { messageId: message.id, sentAt: message.sentAt });
    at.envelope = envelope;
    const record = new MqttRecord(envelope);
    if (spec.validatePayload) void record.json;
    at.stage = 'filter';
    if (pattern !== undefined && !pattern.matches(toEvent(record))) return false;
    at.stage = 'render';
    at.request = render(toRuleOutput(record));
    return true;
  };
}

async function attempt<Request>(
  sink: Sink<Request>,
  requests: Request[],
  context: DeliverContext,
): Promise<readonly Outcome[]> {
  if (requests.length === 0) return [];
  try {
    return await sink.deliver(requests, context);
  } catch (cause) {
    const outcome: Outcome =
      cause instanceof StopTask
        ? { status: 'stop', error: cause }
        : { status: 'retry', error: cause instanceof RetryLater ? cause : new RetryLater(String(cause), { cause }) };
    return requests.map(() => outcome);
  }
}

async function storeAll(deadLetters: DeadLetters, letters: DeadLetter[]): Promise<readonly boolean[]> {
  try {
    return await deadLetters.send(letters);
  } catch {
    return letters.map(() => false);
  }
}

// A stage that fails in a way nobody foresaw must not take its batch along.
function asNeverRetry(error: unknown, stage: Stage): NeverRetry {
  if (error instanceof NeverRetry) return error;
  return new NeverRetry('CRASHED', `${stage} failed: ${String(error)}`, { cause: error });
}
