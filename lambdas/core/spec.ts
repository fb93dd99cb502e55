import * as z from 'zod';
import { InvalidPatternError, InvalidTemplateError } from './errors.ts';
import { objectOf } from './object-schema.ts';
import { parseOptions } from './options.ts';
import { compilePattern } from './pattern/pattern.ts';
import { retryPolicy } from './retry.ts';
import { parseTemplate } from './template/parse.ts';
import { topicFilterProblem } from './topic-filter.ts';

/**
 * The seam between what is declared and what runs: a task's specification, parsed at synth so that a mistake never deploys,
 * and parsed again by the worker with the same schema. It travels beside the function's code as `spec.json`.
 */
export const SPEC_VERSION = 1;

/** The text of a `${…}` template; the placeholders are checked here, the values when a message comes. */
export const template = z.string().check((context) => {
  try {
    parseTemplate(context.value);
  } catch (error) {
    if (!(error instanceof InvalidTemplateError)) throw error;
    context.issues.push({ code: 'custom', message: error.message, input: context.value });
  }
});

const topicFilter = z
  .string()
  .min(1)
  .max(256)
  .check((context) => {
    const expected = topicFilterProblem(context.value);
    if (expected !== undefined) context.issues.push({ code: 'custom', message: expected, input: context.value });
  });

// zod's record drops a key named `__proto__`, and a condition with it; this one hands the object on as it came.
const pattern = (z.unknown() as z.ZodType<Readonly<Record<string, unknown>>>)
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
      context.issues.push({ code: 'custom', message: error.message, input: value });
    }
  })
  .meta({ type: 'object', propertyNames: { type: 'string' }, additionalProperties: {} });

export const taskName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, - and _');

/** Rows D7–D9: a push goes out at so many messages or after so many seconds, whichever comes first. */
export const batchPush = z.strictObject({
  messages: z.int().min(1).max(10_000),
  intervalSeconds: z.int().min(0).max(15),
});

export const publisherDefaults = z.strictObject({
  username: z.string().optional(),
  qos: z.union([z.literal(0), z.literal(1), z.literal(2)]).optional(),
  retain: z.boolean().optional(),
});

/** Where messages come from; `filters` are those of its rules, in their order. */
export const source = z.strictObject({
  type: z.enum(['iot-core', 'client-events', 'hooks']),
  filters: z.array(topicFilter).min(1),
  /** Of subscriptions: what the client's topic filter has to match, as a topic would. */
  subscribedTo: topicFilter.optional(),
  dataFormat: z.enum(['json', 'text', 'binary']).default('json'),
  defaults: publisherDefaults.default({}),
});

/** Where a record goes: the sink's options that are others there. A route takes all that every condition of it matches. */
const routeTo = z.strictObject({
  /** The event's `type`. */
  kind: z.string().min(1).optional(),
  topicFilter: topicFilter.optional(),
  filter: pattern.optional(),
  sink: objectOf(z.unknown()),
});

export const route = z.strictObject({
  routes: z.array(routeTo).min(1).max(1_000),
  /** `first` takes the first route that matches, `all` every one of them. */
  match: z.enum(['first', 'all']).default('first'),
  /** What becomes of a record that no route matches; a drop counts as filtered. */
  otherwise: z.enum(['deadLetter', 'drop']).default('deadLetter'),
});
export type RouteTo = z.infer<typeof routeTo>;

/** More steps than this are a program; `function` is for those. */
const MAX_STEPS = 100;

/** A step of `transform`. `filter` drops records that the pattern does not match. */
export const transformStep = z.strictObject({ filter: pattern });
export type TransformStep = z.output<typeof transformStep>;

/** What keeps messages before the worker. `strict` sends a key's next record only once the one before is delivered (row E5). */
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
  /** Refuse a payload that has no value of the data format even where no stage reads it. */
  validatePayload: z.boolean().default(false),
  filter: pattern.optional(),
  /** Steps between filter and route, in order; each is an object of one key. */
  transform: z.array(transformStep).max(MAX_STEPS).optional(),
  route: route.optional(),
  missingVariable: z.enum(['fail', 'empty', 'undefined']).default('fail'),
  /** Row D18: which failures are tried again, when, and how often. */
  retryPolicy: retryPolicy.default('backoff'),
  /** What happens to a message whose retries are over: it leaves the way (`allowed`), or blocks it until someone acts. */
  faultTolerance: z.enum(['allowed', 'prohibited']).default('allowed'),
  /** With faults allowed: where such a message goes; a drop is counted. */
  onExhausted: z.enum(['deadLetter', 'drop']).default('deadLetter'),
  /** With faults prohibited: what a message does that can never be delivered as it is. */
  poison: z.enum(['block', 'deadLetter']).default('block'),
  /** Row C38: older messages are not sent any more. The clock stands still while the task is paused or stopped. */
  requestTtlSeconds: z.int().min(1).optional(),
  onExpired: z.enum(['deadLetter', 'drop']).default('deadLetter'),
  /** Records a second that one running function may send. */
  recordsPerSecond: z.number().positive().optional(),
});

/** A task's specification, parsed. */
export type TaskSpec<Sink = unknown> = z.output<typeof withoutSink> & { readonly sink: Sink };

/** The schema of a task's specification, given its sink's options. */
export function taskSpec<Sink extends z.ZodType>(sink: Sink) {
  return withoutSink.extend({ sink });
}

/** @throws InvalidOptionError as {@link parseOptions}. */
export function parseSpec<Sink extends z.ZodType>(value: unknown, sink: Sink): TaskSpec<z.output<Sink>> {
  return parseOptions(taskSpec(sink), value, 'spec') as TaskSpec<z.output<Sink>>;
}
