import { JSONPathEnvironment, JSONPathQuery } from 'json-p3';
import { InvalidTemplateError, NeverRetry } from '../errors.ts';
import { ExactNumber, MAX_JSON_DEPTH } from '../json.ts';

/** A compiled JSONPath (RFC 9535). */
export interface JsonPath {
  /**
   * Reads the value of a path that names at most one, such as `$.data.body`; the list of all values for any other path.
   *
   * @returns undefined when the path finds no value.
   * @throws NeverRetry INVALID_PAYLOAD when the path reads a payload that is not in the data format, or that nests too deep.
   */
  read(root: object): unknown;
}

type Json = Parameters<JSONPathQuery['query']>[0];
type Step = string | number;

const environment = new JSONPathEnvironment({ maxRecursionDepth: MAX_JSON_DEPTH });

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
  const rest = new JSONPathQuery(environment, segments.slice(prefix.length));
  return {
    read(root) {
      const start = walk(root, prefix);
      const found = locations(rest, start, text).map((location) => walk(start, location));
      return found.length === 0 ? undefined : found;
    },
  };
}

function parse(text: string): JSONPathQuery {
  try {
    return environment.compile(text);
  } catch (cause) {
    throw new InvalidTemplateError(`'${text}' is not a JSONPath: ${(cause as Error).message}`, { cause });
  }
}

/** Returns the child that a segment names; undefined for a segment that may name several. */
function asStep(segment: JSONPathQuery['segments'][number]): Step | undefined {
  const [selector, ...more] = segment.selectors as { name?: string; index?: number }[];
  const isDescendant = segment.toString().startsWith('..');
  return isDescendant || more.length > 0 ? undefined : (selector?.name ?? selector?.index);
}

function walk(root: unknown, steps: readonly Step[]): unknown {
  let value = root;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return undefined;
    if (Array.isArray(value)) value = typeof step === 'number' ? value.at(step) : undefined;
    else value = typeof step === 'string' && Object.hasOwn(value, step) ? value[step as never] : undefined;
  }
  return value;
}

/** Returns the locations of a query's values. The query runs on a copy with plain numbers, which its filters can compare. */
function locations(query: JSONPathQuery, value: unknown, text: string): Step[][] {
  try {
    return query.query(plain(value) as Json).nodes.map(({ location }) => location);
  } catch (cause) {
    if (cause instanceof NeverRetry) throw cause;
    throw new NeverRetry('INVALID_PAYLOAD', `JSONPath ${text} failed: ${(cause as Error).message}`, { cause });
  }
}

function plain(value: unknown): unknown {
  if (value instanceof ExactNumber) return value.value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const copy = Object.create(null);
  for (const [name, inner] of Object.entries(value)) copy[name] = plain(inner);
  return copy;
}
