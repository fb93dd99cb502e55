import { ExactNumber } from '../json.ts';

/**
 * Returns the value of an object's own key; undefined when the object lacks it. `constructor` and `__proto__` are keys like
 * any other.
 */
export function ownValue(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const own = (value as Record<string, unknown>)[key];
  // Most events lack most fields, and reading the key is faster than `hasOwn`.
  if (own === undefined || !Object.hasOwn(value, key)) return undefined;
  return value instanceof ExactNumber ? undefined : own;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** Whether any element passes. Elements of nested arrays count as elements; arrays may nest to any depth. */
export function someElement(array: readonly unknown[], passes: (element: unknown) => boolean): boolean {
  const pending = [array];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    for (const element of current) {
      if (Array.isArray(element)) pending.push(element);
      else if (passes(element)) return true;
    }
  }
  return false;
}

/** Whether the event has a leaf at the path, in any element of its arrays. */
export function hasLeaf(value: unknown, path: readonly string[], from = 0): boolean {
  if (Array.isArray(value)) return someElement(value, (element) => hasLeaf(element, path, from));
  const step = path[from];
  if (step === undefined) return value !== undefined && !isObject(value);
  return hasLeaf(ownValue(value, step), path, from + 1);
}
