import * as z from 'zod';
import type { Handler } from '../../lambdas/worker/handler.ts';
import type { Resource } from './assembly.ts';
import type { LocalKinesis } from './kinesis.ts';
import { type EmulatedType, readProperties } from './properties.ts';
import { type Mapping, startMapping } from './queue/mapping.ts';
import type { Queues } from './queues.ts';
import { REGION, type Resolve } from './resolve.ts';
import { type StreamMapping, startStreamMapping } from './stream/mapping.ts';

/** A declared event source mapping (AWS::Lambda::EventSourceMapping) and the function that it invokes. */
export interface DeclaredMapping {
  /** Names the mapping in errors. */
  readonly name: string;
  readonly resource: Resource;
  readonly resolve: Resolve;
  readonly functionName: string;
  readonly functionTimeoutSeconds: number;
  readonly handler: Handler;
  readonly onInvocation: (result: { readonly error?: unknown }) => void;
}

const SHARED = {
  EventSourceArn: z.string(),
  BatchSize: z.int().optional(),
  MaximumBatchingWindowInSeconds: z.int().optional(),
  Enabled: z.boolean().optional(),
  // Lambda reads the function's response only with this type. Here it is always read.
  FunctionResponseTypes: z.tuple([z.literal('ReportBatchItemFailures')]),
};

// The task names the mapping of its function, so FunctionName adds nothing.
const IGNORED = ['FunctionName', 'Tags'];

const QUEUE_MAPPING = {
  schema: z.strictObject({
    ...SHARED,
    ScalingConfig: z.strictObject({ MaximumConcurrency: z.int().optional() }).optional(),
  }),
  ignored: IGNORED,
} satisfies EmulatedType<z.ZodObject>;

const STREAM_MAPPING = {
  schema: z.strictObject({
    ...SHARED,
    StartingPosition: z.literal('TRIM_HORIZON'),
    BisectBatchOnFunctionError: z.boolean().optional(),
    // The worker counts retries itself. A mapping that discards records is not emulated.
    MaximumRetryAttempts: z.literal(-1).optional(),
    MaximumRecordAgeInSeconds: z.literal(-1).optional(),
  }),
  ignored: IGNORED,
} satisfies EmulatedType<z.ZodObject>;

/** Starts a mapping from a queue of the assembly. @throws InvalidOptionError when one process does not emulate it. */
export function startDeclaredQueueMapping(mapping: DeclaredMapping, queues: Queues): Mapping {
  const { name, resource, resolve, ...fn } = mapping;
  const declared = readProperties(name, resource, resolve, QUEUE_MAPPING);
  const queue = queues.ofArn(declared.EventSourceArn);
  return startMapping({
    ...fn,
    queue,
    batchSize: declared.BatchSize,
    windowSeconds: declared.MaximumBatchingWindowInSeconds,
    maximumConcurrency: declared.ScalingConfig?.MaximumConcurrency,
    enabled: declared.Enabled,
    region: REGION,
  });
}

/** Starts a mapping from a stream. @throws InvalidOptionError when one process does not emulate it. */
export function startDeclaredStreamMapping(
  mapping: DeclaredMapping,
  { client }: LocalKinesis,
  onError: (error: Error) => void,
): StreamMapping {
  const { name, resource, resolve, ...fn } = mapping;
  const declared = readProperties(name, resource, resolve, STREAM_MAPPING);
  const streamArn = declared.EventSourceArn;
  return startStreamMapping({
    ...fn,
    client,
    streamArn,
    streamName: streamArn.slice(streamArn.lastIndexOf('/') + 1),
    batchSize: declared.BatchSize,
    windowSeconds: declared.MaximumBatchingWindowInSeconds,
    bisectBatchOnFunctionError: declared.BisectBatchOnFunctionError,
    enabled: declared.Enabled,
    region: REGION,
    onError,
  });
}
