import type { ExactNumber } from '../json.ts';

/** A single value of an event. A number is exactly a double; one that is not comes with its text. */
export type Leaf = string | number | boolean | null | ExactNumber;

/** What a pattern asks of one leaf. */
export type Test = (leaf: Leaf) => boolean;

/** A test that only strings can pass. */
export function ofStrings(test: (text: string) => boolean): Test {
  return (leaf) => typeof leaf === 'string' && test(leaf);
}

/** Passes what any of the tests passes. */
export function anyOf(tests: readonly Test[]): Test {
  const [first, second] = tests;
  if (first === undefined) return () => false;
  if (second === undefined) return first;
  return (leaf) => {
    for (const test of tests) if (test(leaf)) return true;
    return false;
  };
}
