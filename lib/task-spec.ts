import { Token } from 'aws-cdk-lib';
import { InvalidOptionError } from '../lambdas/core/errors.ts';
import { parseOptions } from '../lambdas/core/options.ts';
import { routedOptions } from '../lambdas/core/sink-options.ts';
import { SPEC_VERSION, taskSpec } from '../lambdas/core/spec.ts';
import type { BatchPush } from './buffer/batch-push.ts';
import { RETRY_CONCURRENCY } from './buffer/queue-buffer.ts';
import type { ISink } from './deliver/sink.ts';
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
    route: props.route && { ...props.route, routes: props.route.routes?.map((route) => routeSpec(sink, route)) },
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
    ...(props.route?.routes ?? []).flatMap((_, i) =>
      sink.deployTime.filter((path) => sink.routed.includes(path)).map((path) => `route.routes.${i}.sink.${path}`),
    ),
  ]);
  const spec = parseOptions(
    taskSpec(sink.options),
    moveTokens(given, allowed, task, environment),
    task,
    insteadOfOption(props),
  );
  for (const [i, route] of (spec.route?.routes ?? []).entries())
    routedOptions(sink, spec.sink, route, `${task}.route.routes.${i}.sink`);
  return spec as { task: string; sink: { type: string } };
}

function routeSpec({ routeSpec = (overrides) => overrides }: ISink, route: Route): Route {
  return { ...route, sink: route.sink && routeSpec(route.sink) };
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

function inSeconds(task: string, { interval, ...rest }: BatchPush) {
  if (Token.isUnresolved(interval))
    throw new InvalidOptionError(`${task}.batchPush.interval`, CDK_TOKEN, 'a Duration known at synth');
  return { ...rest, intervalSeconds: interval.toSeconds({ integral: false }) };
}
