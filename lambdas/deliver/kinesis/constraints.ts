import type { TextConstraint } from '../../core/text-constraint.ts';

const MAX_STREAM_NAME_CHARACTERS = 128;
const MAX_PARTITION_KEY_CHARACTERS = 256;
const HASH_KEYS = 2n ** 128n;

/** Constraints on rendered options (Amazon Kinesis API reference, PutRecords and PutRecordsRequestEntry). */
export const CONSTRAINTS = {
  stream: {
    expected: `1 to ${MAX_STREAM_NAME_CHARACTERS} letters, digits, _, . and -`,
    isMet: (name) => /^[a-zA-Z0-9_.-]+$/.test(name) && name.length <= MAX_STREAM_NAME_CHARACTERS,
    refused: /[^a-zA-Z0-9_.-]/,
  },
  partitionKey: {
    expected: `1 to ${MAX_PARTITION_KEY_CHARACTERS} characters`,
    isMet: (key) =>
      key !== '' && (key.length <= MAX_PARTITION_KEY_CHARACTERS || [...key].length <= MAX_PARTITION_KEY_CHARACTERS),
  },
  explicitHashKey: {
    expected: 'a whole number below 2^128',
    isMet: (key) => /^(0|[1-9]\d{0,38})$/.test(key) && BigInt(key) < HASH_KEYS,
    refused: /\D/,
  },
} as const satisfies Record<string, TextConstraint>;
