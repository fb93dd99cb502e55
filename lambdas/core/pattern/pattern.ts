import { show } from '../errors.ts';
import { parseJson } from '../json.ts';
import { compileFields } from './match.ts';
import { readPattern } from './parse.ts';
import { toRules } from './rules.ts';
import { toPatternValue } from './value.ts';
import { isObject } from './walk.ts';

/** A compiled event pattern. The language is described in docs/event-patterns.md. */
export interface Pattern {
  /**
   * Whether an event, already parsed, matches. A number that a double cannot hold should come as `ExactNumber`.
   *
   * @throws TypeError when the event is not an object.
   */
  matches(event: unknown): boolean;

  /**
   * The same for an event's JSON text, or its UTF-8 bytes.
   *
   * @throws SyntaxError when it is not JSON or nests too deep, TypeError when it is not an object.
   */
  matchesJson(json: Uint8Array | string): boolean;

  /** Whether the pattern asks anything at this path or below it; if not, what is there need not be parsed. */
  readsPath(path: readonly string[]): boolean;
}

/**
 * Compiles an event pattern, given as an object or as its exact JSON text. The text says more: an object has lost the
 * order of keys that look like integers, repeated keys, and the digits of long numbers.
 *
 * @throws InvalidPatternError naming the place in the pattern, what is there and what is expected.
 */
export function compilePattern(pattern: object | string): Pattern {
  const rules = toRules(typeof pattern === 'string' ? readPattern(pattern) : toPatternValue(pattern));
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
    readsPath: (wanted) =>
      rules.some((fields) => fields.some(({ path }) => wanted.every((step, i) => path[i] === step))),
  };
}

// A byte order mark is kept, so that bytes and text get the same verdict.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new SyntaxError('event: got bytes that are not UTF-8; expected JSON', { cause });
  }
}
