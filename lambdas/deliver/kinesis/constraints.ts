import type { TextConstraint } from '../../core/text-constraint.ts';

const MAX_STREAM_NAME_CHARACTERS = 128;
const MAX_PARTITION_KEY_CHARACTERS = 256;
const HASH_KEYS = 2n ** 128n;

/** Returns a whole number without the zeros behind its point. */
export function withoutFraction(number: string): string {
  return number.replace(/\.0+$/, '');
}

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
    // Devices that count in floats write 7 as 7.0.
    isMet: (key) => /^(0|[1-9]\d{0,38})(\.0+)?$/.test(key) && BigInt(withoutFraction(key)) < HASH_KEYS,
    refused: /[^\d.]/,
  },
} as const satisfies Record<string, TextConstraint>;
