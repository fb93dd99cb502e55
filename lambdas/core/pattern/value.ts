import { InvalidPatternError, show } from '../errors.ts';
import { ExactNumber } from '../json.ts';

/** Objects and lists of a pattern may nest this deep. */
export const MAX_PATTERN_DEPTH = 500;

/** An object as it was written: keys in their order, repeated ones included, which a JavaScript object cannot keep. */
export class Members {
  readonly entries: readonly (readonly [string, PatternValue])[];
  constructor(entries: readonly (readonly [string, PatternValue])[]) {
    this.entries = entries;
  }
  toJSON(): unknown {
    return Object.fromEntries(this.entries);
  }
}

/** What a pattern is made of; every number keeps its text. */
export type PatternValue = string | boolean | null | ExactNumber | readonly PatternValue[] | Members;

/** The same, from a pattern that is an object already. Its keys come in the order JavaScript gives them. */
export function toPatternValue(value: unknown, path: readonly string[] = []): PatternValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof ExactNumber) return value;
  if (typeof value === 'number' && Number.isFinite(value)) return new ExactNumber(String(value));
  if (typeof value !== 'object') return reject(pathText(path), value, 'a JSON value');
  if (path.length >= MAX_PATTERN_DEPTH) throw new InvalidPatternError(tooDeep(pathText(path.slice(0, 5))));
  if (Array.isArray(value)) return Array.from(value, (item, i) => toPatternValue(item, [...path, String(i)]));
  return new Members(Object.entries(value).map(([key, item]) => [key, toPatternValue(item, [...path, key])]));
}

/** The way every mistake in a pattern is told: where, what was given, what is expected. */
export function reject(at: string, given: unknown, expected: string): never {
  throw new InvalidPatternError(
    `${at}: got ${typeof given === 'bigint' ? `${given}n` : show(given)}; expected ${expected}`,
  );
}

/** A path as errors show it: `detail.temp`, odd keys in quotes. */
export function pathText(path: readonly string[]): string {
  if (path.length === 0) return 'the pattern';
  return path.map((key) => (/^[\w$-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

export function tooDeep(at: string): string {
  return `${at}: nests deeper than ${MAX_PATTERN_DEPTH} levels`;
}
