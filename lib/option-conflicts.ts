import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import type { OutflowTaskProps } from './task-props.ts';
import { givenWorkerOptions } from './worker-options.ts';

/** Options that have no effect together with certain others, or without them. */
const CONFLICTS: readonly (readonly [keyof OutflowTaskProps, (props: OutflowTaskProps) => boolean, string])[] = [
  [
    'onExhausted',
    ({ faultTolerance }) => faultTolerance === 'prohibited',
    "nothing with faultTolerance 'prohibited': a message whose retries are exhausted blocks the task",
  ],
  [
    'poison',
    ({ faultTolerance }) => faultTolerance !== 'prohibited',
    "faultTolerance 'prohibited' with it: if faults are allowed, the message is dead-lettered",
  ],
  [
    'onExpired',
    ({ requestTtl }) => requestTtl === undefined,
    'requestTtl with it: without requestTtl, no message expires',
  ],
];

/** @throws InvalidOptionError for an option that has no effect. */
export function refuseConflicts(task: string, props: OutflowTaskProps): void {
  for (const [option, isIneffective, expected] of CONFLICTS) {
    const given = props[option];
    if (given !== undefined && isIneffective(props)) throw new InvalidOptionError(`${task}.${option}`, given, expected);
  }
  const { needsShards } = props.sink;
  if (needsShards !== undefined && props.buffer?.shardCount !== needsShards)
    throw new InvalidOptionError(
      `${task}.buffer`,
      described(
        props.buffer?.shardCount === undefined
          ? 'a buffer without a fixed number of shards'
          : `${props.buffer.shardCount} shards`,
      ),
      `new StreamBuffer({ shardCount: ${needsShards} }): each of the connector's staticClientIds belongs to one shard, so that no two connections have the same id`,
    );
}

/** The options that only a worker can act on, with the values or descriptions that errors show. */
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
  const { maxConcurrency, rateLimit, enabled, route, retryPolicy, requestTtl } = props;
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
    ...givenWorkerOptions(props),
  };
}
