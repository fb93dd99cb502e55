import { InvalidPatternError, show } from '../errors.ts';
import { ExactNumber } from '../json.ts';

/** Levels of objects and lists that a pattern may have. */
export const MAX_PATTERN_DEPTH = 500;

/** An object of a pattern. It keeps the order of keys and repeated keys, which a JavaScript object cannot. */
export class Members {
  readonly entries: readonly (readonly [string, PatternValue])[];
  constructor(entries: readonly (readonly [string, PatternValue])[]) {
    this.entries = entries;
  }
  toJSON(): unknown {
    return Object.fromEntries(this.entries);
  }
}

/** A value in a pattern. Every number keeps its text. */
export type PatternValue = string | boolean | null | ExactNumber | readonly PatternValue[] | Members;

/** Converts a pattern given as a JavaScript object. Its keys have the order that JavaScript gives them. */
export function toPatternValue(value: unknown, path: readonly string[] = []): PatternValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof ExactNumber) return value;
  if (typeof value === 'number' && Number.isFinite(value)) return new ExactNumber(String(value));
  if (typeof value !== 'object') return reject(pathText(path), value, 'a JSON value');
  if (path.length >= MAX_PATTERN_DEPTH) throw new InvalidPatternError(tooDeep(pathText(path.slice(0, 5))));
  if (Array.isArray(value)) return Array.from(value, (item, i) => toPatternValue(item, [...path, String(i)]));
  return new Members(Object.entries(value).map(([key, item]) => [key, toPatternValue(item, [...path, key])]));
}

/** Refuses a pattern. @throws InvalidPatternError `<path>: got X; expected Y` */
export function reject(at: string, given: unknown, expected: string): never {
  throw new InvalidPatternError(
    `${at}: got ${typeof given === 'bigint' ? `${given}n` : show(given)}; expected ${expected}`,
  );
}

/** Formats a path for errors: `detail.temp`, with quotes around keys that have other characters. */
export function pathText(path: readonly string[]): string {
  if (path.length === 0) return 'the pattern';
  return path.map((key) => (/^[\w$-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

export function tooDeep(at: string): string {
  return `${at}: nests deeper than ${MAX_PATTERN_DEPTH} levels`;
}
