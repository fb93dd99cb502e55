import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import type { OutflowTaskProps } from './task-props.ts';

/** Options that say nothing beside others, or without them: each was meant to do something. */
const IDLE: readonly (readonly [keyof OutflowTaskProps, (props: OutflowTaskProps) => boolean, string])[] = [
  [
    'onExhausted',
    ({ faultTolerance }) => faultTolerance === 'prohibited',
    "nothing with faultTolerance 'prohibited': a message whose retries are over blocks the task",
  ],
  [
    'poison',
    ({ faultTolerance }) => faultTolerance !== 'prohibited',
    "faultTolerance 'prohibited' beside it: where faults are allowed, such a message is dead-lettered",
  ],
  ['onExpired', ({ requestTtl }) => requestTtl === undefined, 'requestTtl beside it: without one, no message expires'],
];

/** @throws InvalidOptionError for an option that the others leave without effect. */
export function refuseIdle(task: string, props: OutflowTaskProps): void {
  for (const [option, isIdle, wanted] of IDLE) {
    const given = props[option];
    if (given !== undefined && isIdle(props)) throw new InvalidOptionError(`${task}.${option}`, given, wanted);
  }
}

/** The options that only a worker can act on, with what errors show of their values. */
export function workerOptions(props: OutflowTaskProps): Readonly<Record<string, unknown>> {
  const {
    filter,
    transform,
    batchPush,
    missingVariable,
    validatePayload,
    faultTolerance,
    onExhausted,
    poison,
    onExpired,
  } = props;
  const { maxConcurrency, rateLimit, enabled, memorySize, route, retryPolicy, requestTtl, logGroup } = props;
  return {
    filter,
    transform: transform && described('steps'),
    route: route && described('routes'),
    batchPush,
    missingVariable,
    validatePayload: validatePayload || undefined,
    retryPolicy: retryPolicy && described('a policy'),
    faultTolerance,
    onExhausted,
    poison,
    requestTtl: requestTtl && described('a duration'),
    onExpired,
    maxConcurrency,
    rateLimit,
    enabled,
    memorySize,
    logGroup: logGroup && described('a log group'),
  };
}
