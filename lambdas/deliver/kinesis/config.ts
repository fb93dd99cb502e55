import * as z from 'zod';
import { deployTime } from '../../core/deploy-time.ts';
import { template } from '../../core/spec.ts';
import { literalOf } from '../../core/template/parse.ts';
import { meets } from '../../core/text-constraint.ts';
import { RULES } from './rules.ts';

/** PutRecords takes so many records, so many bytes with their keys (Amazon Kinesis API reference, PutRecords). */
export const MAX_RECORDS = 500;
export const MAX_REQUEST_BYTES = 10 * 1024 * 1024;
/** A stream takes records of 1 MiB unless it was raised, to 10 MiB at most. */
export const DEFAULT_MAX_RECORD_BYTES = 1024 * 1024;

/** Options of the Kinesis sink in a task's spec (rows E4, E14–E17). */
export const kinesisOptions = z.strictObject({
  type: z.literal('kinesis'),
  /** Stream name; a template routes each message by its values. */
  stream: z.union([template.min(1).check(meets(RULES.stream, literalOf)), deployTime]),
  /** 1 to 256 characters once rendered. */
  partitionKey: template
    .min(1, 'a template that renders 1 to 256 characters')
    .check(meets(RULES.partitionKey, literalOf)),
  /** Decimal number from 0 to 2^128 - 1 once rendered; it chooses the shard in place of the partition key's hash. */
  explicitHashKey: template.min(1).check(meets(RULES.explicitHashKey, literalOf)).optional(),
  /** What the record holds; blank forwards the whole rule output as JSON, `${payload}` the original bytes. */
  payload: template.default(''),
  maxRecords: z.int().min(1).max(MAX_RECORDS).default(MAX_RECORDS),
  maxRequestBytes: z.int().min(1024).max(MAX_REQUEST_BYTES).default(MAX_REQUEST_BYTES),
  /** PutRecords calls under way at a time, in one running function. */
  inflightWindow: z.int().min(1).max(100).default(4),
  maxRecordBytes: z.int().min(1).max(MAX_REQUEST_BYTES).default(DEFAULT_MAX_RECORD_BYTES),
});

/** What of them a route may have of its own. */
export const KINESIS_ROUTED = [
  'stream',
  'partitionKey',
  'explicitHashKey',
  'payload',
] as const satisfies (keyof KinesisOptions)[];

export type KinesisOptions = z.output<typeof kinesisOptions>;
