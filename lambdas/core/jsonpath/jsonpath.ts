import type { JSONPathQuery } from 'json-p3';
import { InvalidTemplateError, NeverRetry } from '../errors.ts';
import { stringifyJson } from '../json.ts';
import { childAt, isDescendant, parseJsonPath, select } from './bounded-query.ts';
import { countCharacters, startSteps } from './steps.ts';

/** A compiled JSONPath (RFC 9535). */
export interface JsonPath {
  /**
   * Reads the value of a path that names at most one, such as `$.data.body`; the list of all values for any other path.
   *
   * @returns undefined when the path finds no value.
   * @throws NeverRetry INVALID_PAYLOAD when the path reads a payload that is not in the data format, or that takes it too many
   *   steps.
   */
  read(root: object): unknown;
}

type Step = string | number;

/** Compiles a JSONPath. @throws InvalidTemplateError for any other text. */
export function compileJsonPath(text: string): JsonPath {
  const { segments } = parse(text);
  const steps: Step[] = [];
  for (const segment of segments) {
    const step = asStep(segment);
    if (step === undefined) break;
    steps.push(step);
  }
  if (steps.length === segments.length) return { read: (root) => walk(root, steps) };
  // A filter that names the root needs the whole root.
  const prefix = text.includes('$', 1) ? [] : steps;
  const rest = segments.slice(prefix.length);
  return {
    read(root) {
      const found = valuesOf(rest, walk(root, prefix), text);
      return found.length === 0 ? undefined : found;
    },
  };
}

function parse(text: string): JSONPathQuery {
  try {
    return parseJsonPath(text);
  } catch (cause) {
    throw new InvalidTemplateError(`'${text}' is not a JSONPath: ${(cause as Error).message}`, { cause });
  }
}

/** Returns the child that a segment names; undefined for a segment that may name several. */
function asStep(segment: JSONPathQuery['segments'][number]): Step | undefined {
  const [selector, ...more] = segment.selectors as { name?: string; index?: number }[];
  return isDescendant(segment) || more.length > 0 ? undefined : (selector?.name ?? selector?.index);
}

function walk(root: unknown, steps: readonly Step[]): unknown {
  let value = root;
  for (const step of steps) value = childAt(value, step);
  return value;
}

function valuesOf(segments: JSONPathQuery['segments'], value: unknown, text: string): unknown[] {
  try {
    startSteps();
    const found = select(segments, value);
    for (const one of found) countCharacters(stringifyJson(one).length);
    return found;
  } catch (cause) {
    throw new NeverRetry('INVALID_PAYLOAD', `JSONPath ${text} failed: ${(cause as Error).message}`, { cause });
  }
}
