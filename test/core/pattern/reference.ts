import { compilePattern } from '../../../lambdas/core/pattern/pattern.ts';

interface Leaf {
  readonly value: unknown;
  /** The index taken in each array of the path, by the array. */
  readonly taken: ReadonlyMap<unknown, number>;
}

/**
 * Whether an event matches a pattern without `$or`, by trial: fields in the order of their paths each
 * choose a leaf that passes and that comes from the array elements chosen so far, or are absent among such leaves.
 */
export function matchesByTrial(pattern: object, event: object): boolean {
  const fields = fieldsOf(pattern, []).sort((a, b) => (a.path.join('.') < b.path.join('.') ? -1 : 1));
  const choose = (from: number, taken: ReadonlyMap<unknown, number>): boolean => {
    const field = fields[from];
    if (!field) return true;
    const leaves = leavesAt(event, field.path, new Map()).filter((leaf) => agree(leaf.taken, taken));
    if (leaves.length === 0) return field.list.some(isAbsence) && choose(from + 1, taken);
    const passing = leaves.filter(({ value }) => passes(field.list, value));
    return passing.some((leaf) => choose(from + 1, new Map([...taken, ...leaf.taken])));
  };
  return choose(0, new Map());
}

interface Field {
  readonly path: readonly string[];
  readonly list: readonly unknown[];
}

function fieldsOf(pattern: object, path: readonly string[]): Field[] {
  return Object.entries(pattern).flatMap(([key, value]: [string, object]) =>
    Array.isArray(value) ? [{ path: [...path, key], list: value }] : fieldsOf(value, [...path, key]),
  );
}

function leavesAt(value: unknown, path: readonly string[], taken: ReadonlyMap<unknown, number>): Leaf[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => leavesAt(item, path, new Map(taken).set(value, i)));
  const [step, ...rest] = path;
  const isObject = typeof value === 'object' && value !== null;
  if (step === undefined) return isObject ? [] : [{ value, taken }];
  const entry = isObject ? Object.entries(value).find(([key]) => key === step) : undefined;
  return entry ? leavesAt(entry[1], rest, taken) : [];
}

function agree(a: ReadonlyMap<unknown, number>, b: ReadonlyMap<unknown, number>): boolean {
  return [...a].every(([array, index]) => (b.get(array) ?? index) === index);
}

function isAbsence(item: unknown): boolean {
  return JSON.stringify(item) === '{"exists":false}';
}

/** One leaf against one list is the operators' matter, which the cases test. */
function passes(list: readonly unknown[], value: unknown): boolean {
  const present = list.filter((item) => !isAbsence(item));
  return present.length > 0 && compilePattern({ leaf: present }).matches({ leaf: value });
}
