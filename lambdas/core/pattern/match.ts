import { ExactNumber } from '../json.ts';
import { exactDouble } from './exact-double.ts';
import type { Leaf, Test } from './leaf.ts';
import type { Field } from './rules.ts';
import { hasLeaf, isObject, ownValue, someElement } from './walk.ts';

/** Whether a value of the event satisfies everything that the pattern asks at its place and below. */
type Match = (value: unknown) => boolean;

/**
 * Compiles fields that must all agree.
 *
 * Arrays are not part of a path, but two fields may not come from different elements of one array. So the fields are
 * put together to a tree and, where the event has an array, one element has to satisfy the whole subtree.
 *
 * Whether a field is absent depends on how much of the event it is looked for in, and here AWS goes by the order of the
 * paths: fields that come earlier have chosen their elements of the arrays, and absence is judged within those; without
 * such a field, in the whole event. So absence is decided at the deepest place of the tree that an earlier field shares.
 */
export function compileFields(fields: readonly Field[]): Match {
  const sorted = fields.map((field) => ({ field, name: field.path.join('.') }));
  sorted.sort((a, b) => (a.name < b.name ? -1 : 1));
  const asked = sorted.map(({ field: { path, condition } }) => ({
    path,
    test: condition.test,
    open: condition.orAbsent,
  }));
  return compilePlace(asked, 0);
}

/** A field for which a tree is compiled. */
interface Asked {
  readonly path: readonly string[];
  /** Undefined when the field must be absent. */
  readonly test: Test | undefined;
  /** It may be absent, and whether it is has not been decided further up. */
  readonly open: boolean;
}

function compilePlace(fields: readonly Asked[], depth: number): Match {
  const one = fields.some(({ open }) => open) ? deciding(fields, depth) : compileParts(fields, depth);
  return (value) => (Array.isArray(value) ? someElement(value, one) : one(value));
}

function compileParts(fields: readonly Asked[], depth: number): Match {
  const steps = new Map<string | undefined, Asked[]>();
  for (const field of fields) {
    const step = field.path[depth];
    const below = steps.get(step);
    if (below) below.push(field);
    else steps.set(step, [field]);
  }
  return allOf(
    [...steps].map(([step, below]) =>
      step === undefined ? compileLeaf(below[0]?.test) : compileStep(step, compilePlace(below, depth + 1)),
    ),
  );
}

/** So many of the trees that differ by which fields are absent are kept for a place. */
const KEPT_TREES = 64;

const WAIVED = 'w';
const NEEDED = 'n';
const OPEN = 'o';

function deciding(fields: readonly Asked[], depth: number): Match {
  const trees = new Map<string, Match>();
  return (value) => {
    const fates = decide(fields, depth, value);
    if (fates === undefined) return false;
    let matches = trees.get(fates);
    if (matches === undefined) {
      const left = fields.map((field, i) => ({ ...field, open: fates[i] === OPEN }));
      matches = compileParts(
        left.filter((_, i) => fates[i] !== WAIVED),
        depth,
      );
      if (trees.size >= KEPT_TREES) trees.clear();
      trees.set(fates, matches);
    }
    return matches(value);
  };
}

/** A letter for each field; undefined when one is there that must be absent. */
function decide(fields: readonly Asked[], depth: number, value: unknown): string | undefined {
  const needed: (string | undefined)[] = [];
  let fates = '';
  for (const { path, test, open } of fields) {
    const step = path[depth];
    if (open && needed.includes(step)) fates += OPEN;
    else if (open && !hasLeaf(value, path, depth)) fates += WAIVED;
    else if (test === undefined) return undefined;
    else {
      fates += NEEDED;
      needed.push(step);
    }
  }
  return fates;
}

function compileLeaf(test: Test | undefined): Match {
  return (value) => value !== undefined && !isObject(value) && test?.(toLeaf(value)) === true;
}

function compileStep(key: string, matches: Match): Match {
  return (value) => {
    const own = ownValue(value, key);
    return own !== undefined && matches(own);
  };
}

function allOf(parts: readonly Match[]): Match {
  const [first, second] = parts;
  if (first && !second) return first;
  if (first && second && parts.length === 2) return (value) => first(value) && second(value);
  return (value) => parts.every((matches) => matches(value));
}

function toLeaf(value: unknown): Leaf {
  return value instanceof ExactNumber ? (exactDouble(value.text) ?? value) : (value as Leaf);
}
