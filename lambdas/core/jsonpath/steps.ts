import { NeverRetry } from '../errors.ts';

/**
 * Steps of one query: values visited, values copied, and the work of filters and patterns. A 128 KiB payload has at most 65,536
 * values, but a path such as `$..a..b` visits a value once for each value around it. The limit takes less than 50 ms.
 */
const MAX_STEPS = 150_000;
/** The longest text that `match` and `search` read; a topic of AWS IoT Core has at most 256 characters. */
const MAX_PATTERN_TEXT = 256;
/** A step of a query takes as long as this many of a pattern, for each of its quantifiers. */
const CHARACTERS_PER_QUANTIFIER = 16;
/** Characters of a found value's JSON that count as one step. */
const CHARACTERS_PER_STEP = 8;

/** Steps left for the query that is running. Queries are synchronous, so there is one at a time. */
let left = 0;

export function startSteps(): void {
  left = MAX_STEPS;
}

/** @throws NeverRetry INVALID_PAYLOAD beyond the limit for one query. */
export function countSteps(steps: number): void {
  left -= steps;
  if (left < 0)
    throw new NeverRetry(
      'INVALID_PAYLOAD',
      `the path takes more than ${MAX_STEPS} steps: the payload has too many values, or nests too deep`,
    );
}

/** Counts the characters of a result: values inside each other repeat their text. @throws NeverRetry as {@link countSteps}. */
export function countCharacters(characters: number): void {
  countSteps(characters / CHARACTERS_PER_STEP);
}

/**
 * Counts the work of a pattern: `a*b` reads a text of n characters up to n² times, and each further quantifier n times that.
 *
 * @throws NeverRetry as {@link countSteps}, and for a longer text.
 */
export function countPattern(text: string, quantifiers: number): void {
  if (text.length > MAX_PATTERN_TEXT)
    throw new NeverRetry(
      'INVALID_PAYLOAD',
      `a pattern would read ${text.length} characters; expected at most ${MAX_PATTERN_TEXT}`,
    );
  countSteps(text.length * (text.length / CHARACTERS_PER_QUANTIFIER) ** quantifiers);
}
