import { Token } from 'aws-cdk-lib';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { type Mistake, parseOptions } from '../lambdas/core/options.ts';
import { routedOptions } from '../lambdas/core/sink-options.ts';
import { SPEC_VERSION, taskSpec } from '../lambdas/core/spec.ts';
import type { BatchPush } from './buffer/batch-push.ts';
import { RETRY_CONCURRENCY } from './buffer/queue-buffer.ts';
import type { ISink } from './deliver/sink.ts';
import { checkProps, DURATION, NUMBER, OBJECT, type OptionTypes, required } from './props.ts';
import { checkReach } from './reach.ts';
import type { Route } from './route.ts';
import { insteadOfOption } from './task-options.ts';
import type { OutflowTaskProps } from './task-props.ts';
import { CDK_TOKEN, type DeployTimeEnvironment, moveTokens } from './tokens.ts';
import { wholeSeconds } from './whole-seconds.ts';

/**
 * Makes the spec of a task, and parses it as the worker does.
 *
 * @param environment Receives the values that are only known at deployment.
 * @throws InvalidOptionError
 */
export function parseSpecAtSynth(task: string, props: OutflowTaskProps, environment: DeployTimeEnvironment) {
  const { description, source, batchPush, filter, missingVariable, validatePayload, sink } = props;
  const { retryPolicy, faultTolerance, onExhausted, poison, requestTtl, onExpired } = props;
  const declared = {
    v: SPEC_VERSION,
    task,
    description,
    source: source.spec,
    buffer: props.buffer?.spec,
    batchPush: batchPush === undefined ? undefined : inSeconds(task, batchPush),
    filter,
    transform: props.transform,
    route: props.route && { ...props.route, routes: routesSpec(sink, props.route.routes) },
    missingVariable,
    validatePayload,
    retryPolicy: retryPolicy?.toSpec(`${task}.retryPolicy`),
    faultTolerance,
    onExhausted,
    poison,
    requestTtlSeconds: requestTtl && wholeSeconds(requestTtl, `${task}.requestTtl`),
    onExpired,
    recordsPerSecond: ratePerBatch(task, props),
    logLevel: props.logLevel,
    sink: sink.spec,
  };
  const given = Object.fromEntries(Object.entries(declared).filter(([, value]) => value !== undefined));
  const allowed = new Set([
    ...sink.deployTime.map((path) => `sink.${path}`),
    ...asList(props.route?.routes).flatMap((_, i) =>
      sink.deployTime.filter((path) => sink.routed.includes(path)).map((path) => `route.routes.${i}.sink.${path}`),
    ),
  ]);
  const moved = moveTokens(given, allowed, task, environment);
  const spec = parseOptions(taskSpec(sink.options), moved, task, insteadOfOption(props), restated(task));
  for (const [i, route] of (spec.route?.routes ?? []).entries())
    routedOptions(sink, spec.sink, route, `${task}.route.routes.${i}.sink`);
  checkReach(task, spec, props.buffer?.rendersNatively);
  return spec as { task: string; sink: { type: string } };
}

function asList(routes: unknown): readonly unknown[] {
  return Array.isArray(routes) ? routes : [];
}

function routesSpec({ routeSpec = (overrides) => overrides }: ISink, routes: readonly Route[]): unknown {
  // The schema refuses a value that is not a list of objects.
  if (!Array.isArray(routes)) return routes;
  return routes.map((route) => (OBJECT.is(route?.sink) ? { ...route, sink: routeSpec(route.sink) } : route));
}

function ratePerBatch(task: string, { rateLimit, maxConcurrency }: OutflowTaskProps): number | undefined {
  if (Token.isUnresolved(maxConcurrency))
    throw new InvalidOptionError(`${task}.maxConcurrency`, CDK_TOKEN, 'a whole number from 2 to 1,000, known at synth');
  if (
    maxConcurrency !== undefined &&
    !(Number.isInteger(maxConcurrency) && maxConcurrency >= 2 && maxConcurrency <= 1000)
  )
    throw new InvalidOptionError(`${task}.maxConcurrency`, maxConcurrency, 'a whole number from 2 to 1,000');
  if (rateLimit === undefined) return undefined;
  if (Token.isUnresolved(rateLimit))
    throw new InvalidOptionError(`${task}.rateLimit`, CDK_TOKEN, 'a number known at synth');
  if (!(rateLimit > 0 && rateLimit < Infinity))
    throw new InvalidOptionError(`${task}.rateLimit`, rateLimit, 'a number above 0');
  if (maxConcurrency === undefined)
    throw new InvalidOptionError(
      `${task}.rateLimit`,
      rateLimit,
      'maxConcurrency with it: the rate is divided among the concurrent batches',
    );
  return rateLimit / (maxConcurrency + RETRY_CONCURRENCY);
}

function inSeconds(task: string, batchPush: BatchPush) {
  checkProps(`${task}.batchPush`, batchPush, BATCH_PUSH);
  const { messages, interval } = batchPush;
  return {
    messages,
    intervalSeconds: interval === undefined ? undefined : wholeSeconds(interval, `${task}.batchPush.interval`),
  };
}

const BATCH_PUSH: OptionTypes<BatchPush> = { messages: required(NUMBER), interval: DURATION };

/** The options of the spec under the names and in the units of the props. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^task$/, 'taskName'],
  [/(retryPolicy\.steps\.\d+)\.minSeconds$/, '$1.delaySeconds'],
  [/(retryPolicy\.steps\.\d+)\.maxSeconds$/, '$1.upToSeconds'],
];
const UNITS: readonly (readonly [RegExp, string])[] = [
  [/Seconds$/, 'second'],
  [/Ms$/, 'millisecond'],
];

/** States a mistake in the spec with the option that the user gave, and in a unit. */
function restated(task: string): (mistake: Mistake) => Mistake {
  return (mistake) => {
    const path = mistake.option.slice(task.length + 1);
    const option = `${task}.${RENAMED.reduce((name, [from, to]) => name.replace(from, to), path)}`;
    const [suffix, unit] = UNITS.find(([pattern]) => pattern.test(option)) ?? [];
    const { given } = mistake;
    const expected = mistake.expected.replace('minSeconds', 'delay').replace('maxSeconds', 'upTo');
    if (suffix === undefined) return { option, given, expected };
    const inUnits = (text: string) => `${text} ${unit}${/\b1$/.test(text) ? '' : 's'}`;
    return {
      option: option.replace(suffix, ''),
      given: typeof given === 'number' ? described(inUnits(String(given))) : given,
      expected: /\d$/.test(expected) ? inUnits(expected) : expected,
    };
  };
}
