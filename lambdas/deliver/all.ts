import type * as z from 'zod';
import { InvalidOptionError } from '../core/errors.ts';
import { kinesis } from './kinesis/kinesis.ts';
import { rocketmq } from './rocketmq/rocketmq.ts';
import type { SinkDefinition } from './sink.ts';

/**
 * Every sink there is, by the `type` of its options: for the command, the local runner and the schema. A Lambda handler
 * imports its own sink only, so that its bundle carries no other client.
 */
export const sinks = { kinesis, rocketmq } as const;

/** Finds a sink by its type. @throws InvalidOptionError when there is none of that type. */
export function sinkOf(type: string): SinkDefinition<z.ZodType, unknown> {
  if (!Object.hasOwn(sinks, type)) throw new InvalidOptionError('sink.type', type, Object.keys(sinks).join(', '));
  // Whoever looks a sink up by name cannot know its options; the sink's own schema checks them.
  return sinks[type as keyof typeof sinks] as unknown as SinkDefinition<z.ZodType, unknown>;
}
