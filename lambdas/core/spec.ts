import * as z from 'zod';
import { InvalidPatternError, InvalidTemplateError } from './errors.ts';
import { objectOf } from './object-schema.ts';
import { parseOptions } from './options.ts';
import type { EventPattern } from './pattern/event-pattern.ts';
import { compilePattern } from './pattern/pattern.ts';
import { retryPolicy } from './retry.ts';
import { parseTemplate } from './template/parse.ts';
import { mqttTopicFilterProblem, topicFilterProblem } from './topic-filter.ts';

/**
 * Version of the task specification. The constructs parse a specification at synth, so that a mistake never deploys, and the
 * worker parses it again with the same schema. A function's asset holds it as `spec.json`.
 */
export const SPEC_VERSION = 1;

/** A `${…}` template. The schema checks its syntax; whether a variable has a value depends on each message. */
export const template = z.string().check((context) => {
  try {
    parseTemplate(context.value);
  } catch (error) {
    if (!(error instanceof InvalidTemplateError)) throw error;
    context.issues.push({ code: 'custom', message: `a template (${error.message})`, input: context.value });
  }
});

const topicFilterOf = (problem: (filter: string) => string | undefined) =>
  z.string().check((context) => {
    const expected = problem(context.value);
    if (expected !== undefined) context.issues.push({ code: 'custom', message: expected, input: context.value });
  });

/** A topic filter of AWS IoT Core. */
const topicFilter = topicFilterOf(topicFilterProblem).min(1).max(256);
/** A topic filter of any MQTT broker. */
export const mqttTopicFilter = topicFilterOf(mqttTopicFilterProblem);

// Not zod's `record`, which drops a key named `__proto__`, and the condition with it.
const pattern = (z.unknown() as z.ZodType<EventPattern>)
  .check((context) => {
    const { value } = context;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.issues.push({ code: 'custom', message: 'an object', input: value });
      return;
    }
    try {
      compilePattern(value);
    } catch (error) {
      if (!(error instanceof InvalidPatternError)) throw error;
      context.issues.push({ code: 'custom', message: `an event pattern (${error.message})`, input: value });
    }
  })
  .meta({ type: 'object', propertyNames: { type: 'string' }, additionalProperties: {} });

export const taskName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, - and _');

/** A batch is pushed at `messages` messages or after `intervalSeconds`, whichever comes first. */
export const batchPush = z.strictObject({
  messages: z.int().min(1, '1 to 10000').max(10_000, '1 to 10000'),
  intervalSeconds: z.int().min(0, '0 to 15').max(15, '0 to 15').optional(),
});

export const publisherDefaults = z.strictObject({
  username: z.string().optional(),
  qos: z.union([z.literal(0), z.literal(1), z.literal(2)]).optional(),
  retain: z.boolean().optional(),
});

const sourceOptions = {
  dataFormat: z.enum(['json', 'text', 'binary']).default('json'),
  defaults: publisherDefaults.default({}),
};

/** Where messages come from. `filters` are the topic filters of the rules, in the order of the rules, or those of the broker. */
export const source = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.enum(['iot-core', 'client-events', 'hooks']),
    filters: z.array(topicFilter).min(1),
    /** For subscriptions: the topic filter that has to match the client's topic filter, which it reads as a topic. */
    subscribedTo: topicFilter.optional(),
    ...sourceOptions,
  }),
  z.strictObject({ type: z.literal('mqtt'), filters: z.array(mqttTopicFilter).min(1).max(1_000), ...sourceOptions }),
]);

/** A route: sink options that it overrides, for records that match all of its conditions. */
const routeTo = z.strictObject({
  /** The event's `type`, such as `mqtt.client.connected`. */
  kind: z.string().min(1).optional(),
  topicFilter: topicFilter.optional(),
  filter: pattern.optional(),
  sink: objectOf(z.unknown()),
});

export const route = z.strictObject({
  routes: z.array(routeTo).min(1).max(1_000),
  /** `first`: a record takes the first route that matches. `all`: it takes every route that matches. */
  match: z.enum(['first', 'all']).default('first'),
  /** What happens to a record that no route matches. A dropped record counts as filtered. */
  otherwise: z.enum(['deadLetter', 'drop']).default('deadLetter'),
});
export type RouteTo = z.infer<typeof routeTo>;

/** Upper bound of the steps in `transform`. */
const MAX_STEPS = 100;

/** A step of `transform`. `filter` drops records that the pattern does not match. */
export const transformStep = z.strictObject({ filter: pattern });
export type TransformStep = z.output<typeof transformStep>;

/** The buffer in front of the worker. `strict` order sends a partition key's next record after the previous one is delivered. */
export const buffer = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('queue') }),
  z.strictObject({ type: z.literal('stream'), order: z.enum(['relaxed', 'strict']).default('relaxed') }),
]);

const withoutSink = z.strictObject({
  v: z.literal(SPEC_VERSION),
  task: taskName,
  description: z.string().max(1024).optional(),
  source,
  buffer: buffer.default({ type: 'queue' }),
  batchPush: batchPush.optional(),
  /** Refuse a payload that is not in the data format, even when no stage reads it. */
  validatePayload: z.boolean().default(false),
  filter: pattern.optional(),
  /** Steps between `filter` and `route`, in order. Each step is an object with one key. */
  transform: z.array(transformStep).max(MAX_STEPS).optional(),
  route: route.optional(),
  missingVariable: z.enum(['fail', 'empty', 'undefined']).default('fail'),
  /** Which failures are retried, when, and how often. */
  retryPolicy: retryPolicy.default('backoff'),
  /** After a message's last retry, the task continues without it (`allowed`), or stops until an operator acts (`prohibited`). */
  faultTolerance: z.enum(['allowed', 'prohibited']).default('allowed'),
  /** With `allowed`: where a message goes after its last retry. A dropped message is counted. */
  onExhausted: z.enum(['deadLetter', 'drop']).default('deadLetter'),
  /** With `prohibited`: what happens to a message that can never be delivered unchanged. */
  poison: z.enum(['block', 'deadLetter']).default('deadLetter'),
  /** Age at which a message expires. Time during which the task is paused or its circuit is open does not count. */
  requestTtlSeconds: z.int().min(1).optional(),
  onExpired: z.enum(['deadLetter', 'drop']).default('deadLetter'),
  /** Rate limit of one running function: records per second. */
  recordsPerSecond: z.number().positive().optional(),
  /** `warn`: a batch of which every record was delivered or filtered is neither logged nor counted. `debug`: receipts are logged, too. */
  logLevel: z.enum(['debug', 'info', 'warn']).default('info'),
});

/** The parsed specification of a task. */
export type TaskSpec<Sink = unknown> = z.output<typeof withoutSink> & { readonly sink: Sink };

/** Returns the schema of a task's specification. @param sink The schema of the sink's options. */
export function taskSpec<Sink extends z.ZodType>(sink: Sink) {
  return withoutSink.extend({ sink });
}

/** Parses a task's specification. @throws InvalidOptionError as {@link parseOptions}. */
export function parseSpec<Sink extends z.ZodType>(value: unknown, sink: Sink): TaskSpec<z.output<Sink>> {
  return parseOptions(taskSpec(sink), value, 'spec') as TaskSpec<z.output<Sink>>;
}
