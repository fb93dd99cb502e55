import * as z from 'zod';
import { deployTime } from '../../core/deploy-time.ts';
import { expression, literalOfExpression } from '../../core/jsonpath/expression.ts';
import { jsonObject } from '../../core/jsonpath/object.ts';
import { meets } from '../../core/text-constraint.ts';
import { CONSTRAINTS } from './constraints.ts';

/** Limits of one call: records, and bytes of records with their keys (Amazon Kinesis API reference, PutRecords). */
export const MAX_RECORDS = 500;
export const MAX_REQUEST_BYTES = 10 * 1024 * 1024;
/** A stream's record size limit, which can be raised to 10 MiB (Amazon Kinesis API reference, UpdateMaxRecordSize). */
export const DEFAULT_MAX_RECORD_BYTES = 1024 * 1024;

/** Options of the Kinesis sink in a task's spec. Texts are templates, or JSONPaths over the event. */
export const kinesisOptions = z.strictObject({
  type: z.literal('kinesis'),
  /** Stream name, or an expression that names each message's stream. */
  stream: z.union([expression.min(1).check(meets(CONSTRAINTS.stream, literalOfExpression)), deployTime]),
  /** 1 to 256 characters once rendered. */
  partitionKey: expression
    .min(1, 'a template or a JSONPath that gives 1 to 256 characters')
    .check(meets(CONSTRAINTS.partitionKey, literalOfExpression)),
  /** A decimal number from 0 to 2^128 - 1 once rendered. It chooses the shard in place of the partition key's hash. */
  explicitHashKey: expression.min(1).check(meets(CONSTRAINTS.explicitHashKey, literalOfExpression)).optional(),
  /** The record's data. Blank forwards the whole rule output as JSON, `${payload}` the original bytes; an object makes JSON of its values. */
  payload: z.union([expression, jsonObject]).default(''),
  maxRecords: z.int().min(1).max(MAX_RECORDS).default(MAX_RECORDS),
  maxRequestBytes: z.int().min(1024).max(MAX_REQUEST_BYTES).default(MAX_REQUEST_BYTES),
  /** PutRecords calls at a time in one sandbox. */
  inflightWindow: z.int().min(1).max(100).default(4),
  maxRecordBytes: z.int().min(1).max(MAX_REQUEST_BYTES).default(DEFAULT_MAX_RECORD_BYTES),
});

/** Options that a route may override. */
export const KINESIS_ROUTED = [
  'stream',
  'partitionKey',
  'explicitHashKey',
  'payload',
] as const satisfies (keyof KinesisOptions)[];

export type KinesisOptions = z.output<typeof kinesisOptions>;
