import { ExactNumber } from '../json.ts';
import { anythingBut } from './anything-but.ts';
import type { PatternOperators } from './event-pattern.ts';
import { exactDouble } from './exact-double.ts';
import { folded } from './ignore-case.ts';
import { addressDigits, cidr, sameAddress } from './ip.ts';
import { anyOf, ofStrings, type Test } from './leaf.ts';
import { numeric } from './numeric.ts';
import { Members, type PatternValue, reject } from './value.ts';
import { wildcard } from './wildcard.ts';

/** The condition of a field: one leaf passes the test or, with `orAbsent`, the field has no leaf. */
export interface Condition {
  /** Undefined when the field must be absent. */
  readonly test: Test | undefined;
  readonly orAbsent: boolean;
}

/** Compiles the list of values and operators of a field. */
export function compileCondition(list: readonly PatternValue[], at: string): Condition {
  if (list.length === 0) reject(at, list, 'at least one value or operator');
  const equal = new Set<unknown>();
  const tests: Test[] = [];
  let orAbsent = false;
  for (const item of list) {
    if (item instanceof Members) {
      const [name, value] = item.entries[0] ?? ['', null];
      if (item.entries.length !== 1) reject(at, item, 'exactly one operator in each object');
      if (name === 'exists' && value === false) orAbsent = true;
      else tests.push(operator(name, value, at));
    } else if (item instanceof ExactNumber) {
      const double = exactDouble(item.text);
      if (double === undefined) tests.push((leaf) => leaf instanceof ExactNumber && leaf.text === item.text);
      else equal.add(double);
    } else if (Array.isArray(item)) {
      reject(at, item, 'a string, a number, true, false, null or an operator such as {"prefix": "a"}');
    } else {
      equal.add(item);
      const address = typeof item === 'string' ? addressDigits(item) : undefined;
      if (address) tests.push(sameAddress(address));
    }
  }
  if (equal.size > 0) tests.unshift(oneOf(equal));
  return { test: tests.length > 0 ? anyOf(tests) : undefined, orAbsent };
}

function oneOf(values: ReadonlySet<unknown>): Test {
  const [first, second] = values;
  if (values.size === 1) return (leaf) => leaf === first;
  if (values.size === 2) return (leaf) => leaf === first || leaf === second;
  return (leaf) => values.has(leaf);
}

type Operator = (value: PatternValue, at: string) => Test;

const OPERATORS: Readonly<Record<keyof PatternOperators, Operator>> = {
  exactly: ofText((value) => (text) => text === value),
  prefix: orIgnoringCase(
    (start) => (text) => text.startsWith(start),
    (start) => folded(start).isStartOf,
  ),
  suffix: orIgnoringCase(
    (end) => (text) => text.endsWith(end),
    (end) => folded(end).isEndOf,
  ),
  contains: ofText((part) => (text) => text.includes(part)),
  'equals-ignore-case': ofText((value) => folded(value).equals),
  wildcard: ofText(wildcard),
  cidr,
  numeric,
  'anything-but': anythingBut,
  exists: (value, at) => (value === true ? () => true : reject(at, value, 'true or false')),
};

function operator(name: string, value: PatternValue, at: string): Test {
  const compile = Object.hasOwn(OPERATORS, name) ? OPERATORS[name as keyof PatternOperators] : undefined;
  return compile ? compile(value, `${at}: ${name}`) : reject(at, name, `one of ${Object.keys(OPERATORS).join(', ')}`);
}

function ofText(compile: (value: string, at: string) => (text: string) => boolean): Operator {
  return (value, at) => ofStrings(compile(typeof value === 'string' ? value : reject(at, value, 'a string'), at));
}

function orIgnoringCase(
  exact: (value: string) => (text: string) => boolean,
  ignoringCase: (value: string) => (text: string) => boolean,
): Operator {
  return (value, at) => {
    if (typeof value === 'string') return ofStrings(exact(value));
    const [name, text] = value instanceof Members && value.entries.length === 1 ? (value.entries[0] ?? []) : [];
    if (name !== 'equals-ignore-case' || typeof text !== 'string') {
      return reject(at, value, 'a string or {"equals-ignore-case": a string}');
    }
    return ofStrings(ignoringCase(text));
  };
}
