import type { JSONPathQuery } from 'json-p3';
import { InvalidTemplateError, NeverRetry } from '../errors.ts';
import { stringifyJson } from '../json.ts';
import { isDescendant, parseJsonPath, select } from './bounded-query.ts';
import { type JsonPath, walk } from './jsonpath.ts';
import { countCharacters, startSteps } from './steps.ts';

/** Compiles any JSONPath. @throws InvalidTemplateError for any other text. */
export function compileQuery(text: string): JsonPath {
  const { segments } = parse(text);
  const steps: (string | number)[] = [];
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
function asStep(segment: JSONPathQuery['segments'][number]): string | number | undefined {
  const [selector, ...more] = segment.selectors as { name?: string; index?: number }[];
  return isDescendant(segment) || more.length > 0 ? undefined : (selector?.name ?? selector?.index);
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
