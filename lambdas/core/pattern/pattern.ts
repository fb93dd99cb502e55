import { show } from '../errors.ts';
import { parseJson } from '../json.ts';
import { compileFields } from './match.ts';
import { parsePattern } from './parse.ts';
import { toRules } from './rules.ts';
import { toPatternValue } from './value.ts';
import { isObject } from './walk.ts';

/** A compiled event pattern. docs/event-patterns.md describes the language. */
export interface Pattern {
  /**
   * Whether the pattern matches a parsed event. `parseJson` keeps numbers that a double cannot hold, as `ExactNumber`.
   *
   * @throws TypeError when the event is not an object.
   */
  matches(event: unknown): boolean;

  /**
   * Whether the pattern matches an event given as JSON text or as its UTF-8 bytes.
   *
   * @throws SyntaxError when the text is not JSON or nests deeper than 1,000 levels, TypeError when the event is not an object.
   */
  matchesJson(json: Uint8Array | string): boolean;

  /** Whether the pattern has a condition at this path or below it. Without one, the value there need not be parsed. */
  readsPath(path: readonly string[]): boolean;
}

/**
 * Compiles an event pattern.
 *
 * @param pattern The pattern as an object, or as its exact JSON text. The text keeps what an object loses: the order of keys
 *   that look like integers, repeated keys, and the digits of long numbers.
 * @throws InvalidPatternError with the path in the pattern, the value there and the values that the language expects.
 */
export function compilePattern(pattern: object | string): Pattern {
  const rules = toRules(typeof pattern === 'string' ? parsePattern(pattern) : toPatternValue(pattern));
  const [first, ...others] = rules.map(compileFields);
  const matches = (event: unknown): boolean => {
    if (!isObject(event)) throw new TypeError(`event: got ${show(event)}; expected a JSON object`);
    if (first?.(event)) return true;
    for (const other of others) if (other(event)) return true;
    return false;
  };
  return {
    matches,
    matchesJson: (json) => matches(parseJson(typeof json === 'string' ? json : decode(json))),
    readsPath: (outer) => rules.some((fields) => fields.some(({ path }) => outer.every((step, i) => path[i] === step))),
  };
}

// Keeps a byte order mark, so that bytes and text give the same result.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new SyntaxError('event: got bytes that are not UTF-8; expected JSON', { cause });
  }
}
