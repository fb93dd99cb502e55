import { childAt } from './child.ts';

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
type Compile = (text: string) => JsonPath;

/** A path of names and indexes. A name in quotes that has an escape is left to the library. */
const PLAIN = /^\$(?:\.[A-Za-z_]\w*|\[(?:0|-?[1-9]\d{0,8})\]|\['[^'"\\\p{Cc}]*'\]|\["[^'"\\\p{Cc}]*"\])*$/u;
const STEP = /\.(\w+)|\[(-?\d+)\]|\[['"]([^'"]*)['"]\]/g;

let compileQuery: Compile | undefined;

/** Sets the compiler of the paths that are not plain. */
export function useQueries(compile: Compile): void {
  compileQuery = compile;
}

/** Whether the path names one value by names and indexes alone, such as `$.data.body.list[0]`. */
export function isPlainPath(text: string): boolean {
  return PLAIN.test(text);
}

/** Compiles a JSONPath. @throws InvalidTemplateError for any other text. */
export function compileJsonPath(text: string): JsonPath {
  if (isPlainPath(text)) {
    const steps = [...text.matchAll(STEP)].map(([, name, index, quoted]) => name ?? quoted ?? Number(index));
    return { read: (root) => walk(root, steps) };
  }
  if (compileQuery === undefined) throw new Error(`JSONPath '${text}' needs loadExpressions() before it is compiled`);
  return compileQuery(text);
}

export function walk(root: unknown, steps: readonly Step[]): unknown {
  let value = root;
  for (const step of steps) value = childAt(value, step);
  return value;
}
