import { parse as parseLossless, stringify as stringifyLossless } from 'lossless-json';

/** Levels of objects and arrays that a parsed payload may have. Deeper payloads would risk a stack overflow. */
export const MAX_JSON_DEPTH = 1_000;

/**
 * A JSON number that a double cannot represent exactly as written, such as `12345678901234567890`, `1e400` or `5.0`. Parsed
 * payloads hold it in place of a number.
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

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;

/**
 * Parses JSON and keeps each number exactly: a number that `JSON.parse` would change becomes an {@link ExactNumber}. The last
 * value of a repeated key wins, and `__proto__` is a key like any other.
 *
 * @throws SyntaxError when the text is not JSON or nests deeper than {@link MAX_JSON_DEPTH}.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (text.length > 2 * MAX_JSON_DEPTH && isDeeperThan(text, MAX_JSON_DEPTH)) {
    throw new SyntaxError(`JSON nests deeper than ${MAX_JSON_DEPTH} levels`);
  }
  if (!hasExactNumber(text)) return value;
  return parseLossless(text, null, { parseNumber: exactly, onDuplicateKey: ({ newValue }) => newValue });
}

/** Serialises a value to compact JSON in which every {@link ExactNumber} keeps its text. */
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

/**
 * Whether the JSON may hold a number that a double cannot represent exactly as written. Such a number has at least sixteen
 * digits, a fraction of zeros, or an exponent. Digits in strings do not count.
 */
function hasExactNumber(json: string): boolean {
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === QUOTE) i = endOfString(json, i);
    else if (c >= ZERO && c <= NINE) {
      const start = i;
      let isFractionZero = false;
      let next = c;
      for (; (next >= ZERO && next <= NINE) || next === POINT; next = json.charCodeAt(++i)) {
        if (next === POINT) isFractionZero = true;
        else if (next !== ZERO) isFractionZero = false;
      }
      if (isFractionZero || i - start >= 16 || next === LOWER_E || next === UPPER_E) return true;
      i--;
    }
  }
  return false;
}

function isDeeperThan(json: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === QUOTE) i = endOfString(json, i);
    else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (++depth > limit) return true;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) depth--;
  }
  return false;
}

/** Returns the position of the quote that ends the string opened at `open`, in text known to be JSON. */
function endOfString(json: string, open: number): number {
  let end = json.indexOf('"', open + 1);
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end;
}

function isEscaped(json: string, at: number): boolean {
  let before = at;
  while (json.charCodeAt(before - 1) === BACKSLASH) before--;
  return (at - before) % 2 === 1;
}
