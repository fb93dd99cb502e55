import { ExactNumber } from '../json.ts';
import { exactDouble } from './exact-double.ts';
import type { Test } from './leaf.ts';
import { type PatternValue, reject } from './value.ts';

/** Compiles `["=", 5]`, `["<", 5]`, `[">=", 0]` or `[">=", 0, "<", 5]`. */
export function numeric(value: PatternValue, at: string): Test {
  if (!Array.isArray(value)) return reject(at, value, 'a list such as [">", 0, "<=", 5]');
  const [operator, bound, upperOperator, upperBound] = value as readonly PatternValue[];
  const from = exactNumber(bound, at, value);
  if (value.length === 2) {
    if (operator === '=') return (leaf) => leaf === from;
    if (operator === '<' || operator === '<=') return range('>', Number.NEGATIVE_INFINITY, operator, from);
    if (operator === '>' || operator === '>=') return range(operator, from, '<', Number.POSITIVE_INFINITY);
  } else if (value.length === 4 && (operator === '>' || operator === '>=')) {
    const to = exactNumber(upperBound, at, value);
    if (from >= to) return reject(at, value, 'a lower bound below the upper bound');
    if (upperOperator === '<' || upperOperator === '<=') return range(operator, from, upperOperator, to);
  }
  return reject(
    at,
    value,
    '"=", "<", "<=", ">" or ">=" with a number; after ">" or ">=" also "<" or "<=" with a number',
  );
}

function range(lower: '>' | '>=', from: number, upper: '<' | '<=', to: number): Test {
  const openBelow = lower === '>';
  const openAbove = upper === '<';
  return (leaf) =>
    typeof leaf === 'number' && (openBelow ? leaf > from : leaf >= from) && (openAbove ? leaf < to : leaf <= to);
}

function exactNumber(bound: PatternValue | undefined, at: string, given: PatternValue): number {
  const value = bound instanceof ExactNumber ? exactDouble(bound.text) : undefined;
  return (
    value ?? reject(at, given, 'an operator before each number, and no number with more digits than a double holds')
  );
}
