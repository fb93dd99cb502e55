import { ExactNumber } from '../json.ts';
import { exactDouble } from './exact-double.ts';
import type { Leaf, Test } from './leaf.ts';
import type { Field } from './rules.ts';
import { hasLeaf, isObject, ownValue, someElement } from './walk.ts';

/** Whether a value of the event satisfies all conditions of the pattern at its path and below. */
type Match = (value: unknown) => boolean;

/**
 * Compiles fields that must all match.
 *
 * Arrays are not part of a path, but two fields must not match different elements of one array. So the fields form a tree
 * and, where the event has an array, one element has to satisfy the whole subtree.
 *
 * Whether a field is absent depends on the part of the event in which it is sought. AWS goes by the order of the paths:
 * earlier fields have chosen their array elements, and a later field is absent when those elements lack it; without an
 * earlier field, when the whole event lacks it. So absence is decided at the deepest node of the tree that an earlier field
 * shares.
 */
export function compileFields(fields: readonly Field[]): Match {
  const sorted = fields.map((field) => ({ field, name: field.path.join('.') }));
  sorted.sort((a, b) => (a.name < b.name ? -1 : 1));
  const conditions = sorted.map(({ field: { path, condition } }) => ({
    path,
    test: condition.test,
    open: condition.orAbsent,
  }));
  return compileNode(conditions, 0);
}

/** A field of the tree. */
interface FieldCondition {
  readonly path: readonly string[];
  /** Undefined when the field must be absent. */
  readonly test: Test | undefined;
  /** Whether the field may be absent, and no node further up has decided that it is. */
  readonly open: boolean;
}

function compileNode(fields: readonly FieldCondition[], depth: number): Match {
  const one = fields.some(({ open }) => open) ? deciding(fields, depth) : compileParts(fields, depth);
  return (value) => (Array.isArray(value) ? someElement(value, one) : one(value));
}

function compileParts(fields: readonly FieldCondition[], depth: number): Match {
  const steps = new Map<string | undefined, FieldCondition[]>();
  for (const field of fields) {
    const step = field.path[depth];
    const below = steps.get(step);
    if (below) below.push(field);
    else steps.set(step, [field]);
  }
  return allOf(
    [...steps].map(([step, below]) =>
      step === undefined ? compileLeaf(below[0]?.test) : compileStep(step, compileNode(below, depth + 1)),
    ),
  );
}

/** Compiled trees that a node keeps; they differ in the fields that are absent. */
const MAX_KEPT_TREES = 64;

const WAIVED = 'w';
const NEEDED = 'n';
const OPEN = 'o';

function deciding(fields: readonly FieldCondition[], depth: number): Match {
  const trees = new Map<string, Match>();
  return (value) => {
    const presence = decide(fields, depth, value);
    if (presence === undefined) return false;
    let matches = trees.get(presence);
    if (matches === undefined) {
      const left = fields.map((field, i) => ({ ...field, open: presence[i] === OPEN }));
      matches = compileParts(
        left.filter((_, i) => presence[i] !== WAIVED),
        depth,
      );
      if (trees.size >= MAX_KEPT_TREES) trees.clear();
      trees.set(presence, matches);
    }
    return matches(value);
  };
}

/** Returns one character for each field; undefined when the event has a field that must be absent. */
function decide(fields: readonly FieldCondition[], depth: number, value: unknown): string | undefined {
  const needed: (string | undefined)[] = [];
  let presence = '';
  for (const { path, test, open } of fields) {
    const step = path[depth];
    if (open && needed.includes(step)) presence += OPEN;
    else if (open && !hasLeaf(value, path, depth)) presence += WAIVED;
    else if (test === undefined) return undefined;
    else {
      presence += NEEDED;
      needed.push(step);
    }
  }
  return presence;
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
