import { deployTime } from '../core/deploy-time.ts';
import type { Envelope } from '../core/envelope.ts';
import { RULE_ARNS, TARGET_ARN } from '../core/environment.ts';
import type { DeadLetterCode, Stage } from '../core/errors.ts';
import { type MqttEvent, toEvent } from '../core/event.ts';
import { type ClientRuleOutput, type RuleOutput, toRuleOutput } from '../core/rule-output.ts';
import { parseSpec } from '../core/spec.ts';
import { matchesTopicFilter } from '../core/topic-filter.ts';
import { sinkOf } from '../deliver/all.ts';
import type { DeadLetter } from '../worker/message.ts';
import { createWorker, type WorkerContext } from '../worker/worker.ts';
import { type BufferedMessage, type SampleMessage, sampleEnvelope } from './sample.ts';
import { type StepTrace, traceSteps } from './trace-steps.ts';

/** The outcome of a sample message. Nothing is sent. */
export interface TryResult {
  readonly task: string;
  /** `notSelected`: no topic filter of the task matches, so the task would never receive the message. */
  readonly outcome: 'delivered' | 'filtered' | 'deadLettered' | 'notSelected';
  /** The message in the buffer. */
  readonly envelope: Envelope;
  /** The event that the filter receives, for the first record. Absent when the payload is not in the data format. */
  readonly event?: MqttEvent;
  /** The rule output that templates read, for the first record. Absent when the envelope's payload is not base64. */
  readonly ruleOutput?: RuleOutput | ClientRuleOutput;
  /** The result of each step. A step that failed, and those after it, are left out. */
  readonly steps: readonly StepTrace[];
  /** The sink's requests. Bytes are shown as text, or as `{ "base64": … }` when they are not UTF-8. */
  readonly requests?: readonly Readonly<Record<string, unknown>>[];
  /** Why the message would go to the dead-letter queue. */
  readonly error?: { readonly code: DeadLetterCode; readonly stage: Stage; readonly message: string };
}

export interface TryOptions {
  /** Values known only at deployment, by environment variable. @default - each variable's name */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Processes a sample message with a task's worker, and sends nothing.
 *
 * @param spec The task's specification: the `spec.json` of its function's asset, or such an object (docs/task.schema.json).
 * @param message A sample message, or the body of a message in a buffer or a dead-letter queue.
 * @throws InvalidOptionError for an invalid specification or message.
 */
export async function tryTask(
  spec: unknown,
  message: SampleMessage | BufferedMessage,
  options: TryOptions = {},
): Promise<TryResult> {
  const sink = sinkOf((spec as { sink?: { type?: string } } | undefined)?.sink?.type ?? 'undefined');
  const parsed = parseSpec(spec, sink.options);
  const envelope = sampleEnvelope(message, parsed.source.type);
  const { first: record, steps } = await traceSteps(parsed, envelope);
  const event = record && readable(() => plain(toEvent(record, parsed.source)));
  const ruleOutput = record && readable(() => plain(toRuleOutput(record, parsed.source)));
  const seen = {
    task: parsed.task,
    envelope,
    ...(event && { event }),
    ...(ruleOutput && { ruleOutput }),
    steps,
  };
  if (!parsed.source.filters.some((filter) => matchesTopicFilter(filter, envelope.topic)))
    return { ...seen, outcome: 'notSelected' };

  const dlqMessages: DeadLetter[] = [];
  const requests: unknown[] = [];
  const worker = createWorker(
    parsed,
    { ...sink, open: () => ({ deliver: keep, testConnectivity: async () => 'nothing is sent', close() {} }) },
    {
      // The message is processed at the time at which it was published, so it never expires.
      now: () => envelope.timestamp,
      env: { ...PLACEHOLDERS, ...namesOfDeployTime(parsed.sink), ...options.env },
      deadLetters: {
        async send(dead) {
          dlqMessages.push(...dead);
          return dead.map(() => true);
        },
      },
    },
  );
  async function keep(given: readonly unknown[]) {
    requests.push(...given);
    return given.map(() => ({ status: 'delivered' as const }));
  }
  const { id, timestamp } = envelope;
  const buffered = { id, body: JSON.stringify(envelope), sentAt: timestamp, attempt: 0, firstSeen: timestamp };
  await worker.process({ messages: [buffered] }, { remainingMs: () => Infinity, buffer: NOTHING_IS_REQUEUED });

  const [dlqMessage] = dlqMessages;
  if (dlqMessage !== undefined) {
    const { error, stage } = dlqMessage;
    return { ...seen, outcome: 'deadLettered', error: { code: error.code, stage, message: error.message } };
  }
  if (requests.length === 0) return { ...seen, outcome: 'filtered' };
  return { ...seen, outcome: 'delivered', requests: requests.map((request) => shown(sink.show(request))) };
}

/** Environment variables that dead letters copy. */
const PLACEHOLDERS = { [RULE_ARNS]: '*', [TARGET_ARN]: '*' };

const NOTHING_IS_REQUEUED: WorkerContext['buffer'] = {
  requeue: { send: async (messages) => messages.map(() => 'stored') },
  retryMode: 'requeue',
};

function shown(request: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(request).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, value instanceof Uint8Array ? bytes(value) : value]));
}

function bytes(value: Uint8Array): unknown {
  const text = Buffer.from(value).toString('utf8');
  return Buffer.from(text).equals(value) ? text : { base64: Buffer.from(value).toString('base64') };
}

// Events and rule output compute their fields when they are read, which fails for an unreadable payload.
function readable<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

function plain<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value));
}

function namesOfDeployTime(options: unknown): Record<string, string> {
  const references = Object.values(options as object).map((value) => deployTime.safeParse(value).data?.$env);
  return Object.fromEntries(references.filter((name) => name !== undefined).map((name) => [name, name]));
}
