import type { ExactNumber } from '../json.ts';

/** A single value of an event. A number that a double cannot represent exactly is an `ExactNumber`. */
export type Leaf = string | number | boolean | null | ExactNumber;

/** A test of one leaf. */
export type Test = (leaf: Leaf) => boolean;

/** Makes a test that only strings pass. */
export function ofStrings(test: (text: string) => boolean): Test {
  return (leaf) => typeof leaf === 'string' && test(leaf);
}

/** Makes a test that a leaf passes when it passes any of the tests. */
export function anyOf(tests: readonly Test[]): Test {
  const [first, second] = tests;
  if (first === undefined) return () => false;
  if (second === undefined) return first;
  return (leaf) => {
    for (const test of tests) if (test(leaf)) return true;
    return false;
  };
}
