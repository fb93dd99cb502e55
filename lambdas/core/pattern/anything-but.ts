import { ExactNumber } from '../json.ts';
import type { AnythingButForms } from './event-pattern.ts';
import { exactDouble } from './exact-double.ts';
import { folded } from './ignore-case.ts';
import type { Test } from './leaf.ts';
import { Members, type PatternValue, reject } from './value.ts';
import { wildcard } from './wildcard.ts';

const FORMS: Readonly<Record<keyof AnythingButForms, (text: string, at: string) => (text: string) => boolean>> = {
  prefix: (given, at) => {
    const start = nonEmpty(given, at);
    return (text) => text.startsWith(start);
  },
  suffix: (given, at) => {
    const end = nonEmpty(given, at);
    return (text) => text.endsWith(end);
  },
  'equals-ignore-case': (text) => folded(text).equals,
  wildcard,
};

/** Compiles `"x"`, `5`, a list of either, or an object such as `{"prefix": …}` with a string or a list of strings. */
export function anythingBut(value: PatternValue, at: string): Test {
  return value instanceof Members ? butForm(value, at) : butValues(value, at);
}

function butValues(value: PatternValue, at: string): Test {
  const expected = 'a string, a number that a double holds exactly, or a list of only strings or only such numbers';
  const values = listed(value).map((item) => (item instanceof ExactNumber ? exactDouble(item.text) : item));
  const type = typeof values[0];
  if ((type !== 'string' && type !== 'number') || !values.every((item) => typeof item === type)) {
    return reject(at, value, expected);
  }
  const excluded = new Set<unknown>(values);
  return (leaf) => !excluded.has(leaf);
}

function butForm(value: Members, at: string): Test {
  const [name, texts] = value.entries[0] ?? ['', ''];
  const form = Object.hasOwn(FORMS, name) ? FORMS[name as keyof AnythingButForms] : undefined;
  if (value.entries.length !== 1 || form === undefined) {
    return reject(at, value, `exactly one of ${Object.keys(FORMS).join(', ')}`);
  }
  const inner = `${at}: ${name}`;
  const given = listed(texts);
  if (given.length === 0) reject(inner, texts, 'a string or a list of strings');
  const excluded = given.map((text) =>
    typeof text === 'string' ? form(text, inner) : reject(inner, texts, 'a string or a list of strings'),
  );
  return (leaf) => typeof leaf !== 'string' || !excluded.some((isExcluded) => isExcluded(leaf));
}

function listed(value: PatternValue): readonly PatternValue[] {
  return Array.isArray(value) ? value : [value];
}

function nonEmpty(text: string, at: string): string {
  return text === '' ? reject(at, text, 'at least one character') : text;
}
