import { parse as parseLossless, stringify as stringifyLossless } from 'lossless-json';

/** Containers may nest this deep in a payload that a stage reads; deeper ones are refused rather than risking the stack. */
export const MAX_JSON_DEPTH = 1_000;

/**
 * A JSON number whose text says more than a double can: `12345678901234567890`, `1e400`, `5.0`.
 * Everything that reads payload values may meet one in place of a number.
 */
export class ExactNumber {
  readonly text: string;
  readonly value: number;
  constructor(text: string) {
    this.text = text;
    this.value = Number(text);
  }
  toJSON(): number {
    exactNumberSeen = true;
    return this.value;
  }
}

let exactNumberSeen = false;

// Sixteen digits (a point between them or not), a fraction of zeros, an exponent: nothing else can differ from its double.
const SUSPICIOUS_NUMBER = /\d[\d.]{15}|\.0+(?!\d)|\d[eE]/;

/**
 * Parses JSON keeping what `JSON.parse` would round away: such numbers come as {@link ExactNumber}.
 * Of a repeated key the last value counts; keys such as `__proto__` are ordinary.
 *
 * @throws SyntaxError when the text is not JSON or nests deeper than {@link MAX_JSON_DEPTH}.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (text.length > 2 * MAX_JSON_DEPTH && isDeeperThan(text, MAX_JSON_DEPTH)) {
    throw new SyntaxError(`JSON nests deeper than ${MAX_JSON_DEPTH} levels`);
  }
  if (!SUSPICIOUS_NUMBER.test(text)) return value;
  return parseLossless(text, null, { parseNumber: exactly, onDuplicateKey: ({ newValue }) => newValue });
}

/** Compact JSON text in which every {@link ExactNumber} keeps its own digits. */
export function stringifyJson(value: unknown): string {
  exactNumberSeen = false;
  const text = JSON.stringify(value) ?? 'null';
  if (!exactNumberSeen) return text;
  const exact = { test: (v: unknown) => v instanceof ExactNumber, stringify: (v: unknown) => (v as ExactNumber).text };
  return stringifyLossless(value, null, undefined, [exact]) ?? 'null';
}

function exactly(text: string): number | ExactNumber {
  const value = Number(text);
  return String(value) === text ? value : new ExactNumber(text);
}

function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      for (i++; text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}
