import type * as z from 'zod';
import { InvalidOptionError } from '../core/errors.ts';
import '../core/jsonpath/every-path.ts';
import { kinesis } from './kinesis/kinesis.ts';
import { mqtt } from './mqtt/mqtt.ts';
import { republish } from './republish/republish.ts';
import { rocketmq } from './rocketmq/rocketmq.ts';
import type { SinkDefinition } from './sink.ts';

/**
 * Every sink, by the `type` of its options: for the command, the local runner and the schema. A Lambda handler imports its
 * own sink instead, so that its bundle contains no other client.
 */
export const sinks = { kinesis, mqtt, republish, rocketmq } as const;

/** Finds a sink by its type. @throws InvalidOptionError for an unknown type. */
export function sinkOf(type: string): SinkDefinition<z.ZodType, unknown> {
  if (!Object.hasOwn(sinks, type)) throw new InvalidOptionError('sink.type', type, Object.keys(sinks).join(', '));
  // The type of the options depends on the name, which is known at run time only; the sink's schema checks the options.
  return sinks[type as keyof typeof sinks] as unknown as SinkDefinition<z.ZodType, unknown>;
}
