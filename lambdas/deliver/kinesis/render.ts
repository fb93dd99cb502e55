import { NeverRetry } from '../../core/errors.ts';
import type { Resolved } from '../../core/spec.ts';
import { compileTemplate, type MissingVariable } from '../../core/template/template.ts';
import type { Render } from '../sink.ts';
import type { KinesisOptions } from './config.ts';

export interface KinesisRequest {
  readonly stream: string;
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  readonly data: Uint8Array;
  /** Data and partition key together, as Kinesis counts them. */
  readonly bytes: number;
}

const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
const MAX_PARTITION_KEY_CHARACTERS = 256;
const HASH_KEYS = 2n ** 128n;

/** Compiles the options to a function from rule output to request. It throws NeverRetry for what Kinesis would refuse. */
export function compileKinesis(
  options: Resolved<KinesisOptions>,
  missingVariable: MissingVariable,
): Render<KinesisRequest> {
  const asTarget = { missingVariable, nullIsMissing: true };
  const stream = compileTemplate(options.stream, asTarget);
  const partitionKey = compileTemplate(options.partitionKey, asTarget);
  const explicitHashKey =
    options.explicitHashKey === undefined ? undefined : compileTemplate(options.explicitHashKey, asTarget);
  const payload = compileTemplate(options.payload === '' ? '${.}' : options.payload, { missingVariable });

  return (scope) => {
    const data = payload.render(scope);
    const key = checkPartitionKey(partitionKey.renderText(scope));
    const bytes = data.length + Buffer.byteLength(key);
    if (bytes > options.maxRecordBytes) {
      throw new NeverRetry(
        'MESSAGE_TOO_LARGE',
        `the record has ${bytes} bytes with its key; the stream takes ${options.maxRecordBytes}`,
      );
    }
    const request = { stream: checkStream(stream.renderText(scope)), partitionKey: key, data, bytes };
    if (explicitHashKey === undefined) return request;
    return { ...request, explicitHashKey: checkHashKey(explicitHashKey.renderText(scope)) };
  };
}

function checkStream(name: string): string {
  if (!STREAM_NAME.test(name)) throw invalid('stream', name, '1 to 128 letters, digits, _, . and -');
  return name;
}

function checkPartitionKey(key: string): string {
  if (key === '' || (key.length > MAX_PARTITION_KEY_CHARACTERS && [...key].length > MAX_PARTITION_KEY_CHARACTERS)) {
    throw invalid('partitionKey', key, `1 to ${MAX_PARTITION_KEY_CHARACTERS} characters`);
  }
  return key;
}

function checkHashKey(key: string): string {
  if (!/^(0|[1-9]\d{0,38})$/.test(key) || BigInt(key) >= HASH_KEYS)
    throw invalid('explicitHashKey', key, 'a whole number below 2^128');
  return key;
}

function invalid(option: string, given: string, wanted: string): NeverRetry {
  return new NeverRetry('INVALID_TARGET', `${option} rendered to '${given.slice(0, 80)}'; wanted ${wanted}`);
}
