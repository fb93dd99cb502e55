import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { InvalidPatternError } from '../../../lambdas/core/errors.ts';
import { compilePattern } from '../../../lambdas/core/pattern/pattern.ts';

interface Case {
  readonly name: string;
  readonly pattern?: object;
  readonly patternText?: string;
  readonly event?: object;
  readonly eventText?: string;
  readonly match?: boolean;
  readonly error?: boolean;
}

/** Where we differ from AWS's engine on purpose, by the reason why. */
const DEVIATIONS: Readonly<Record<string, readonly string[]>> = {
  'contains is an operator of Alibaba Cloud EventBridge': ['invalid-operator/003'],
  'a key with a dot is one key, not a path': [1, 2, 4, 5, 6, 7, 8, 9, 10].map((n) => `dotted-key/${pad(n)}`),
  'a pattern of a.b does not replace one of a: {b}': ['duplicate-key/011'],
  'of a key that an event repeats the last value counts, as with JSON.parse': [3, 8, 9, 12].map(
    (n) => `duplicate-key/${pad(n)}`,
  ),
  'an empty key is a key like any other, at any depth': ['null-empty/037', 'null-empty/038'],
  'text after the pattern is a mistake': ['invalid-json/023', 'invalid-json/024', 'invalid-json/025'],
  'a prefix length is a plain number': ['invalid-cidr/025', 'invalid-cidr/026'],
  '$or is never the name of a field': ['invalid-or/003', 'invalid-or/006'],
};

const deviating = new Set(Object.values(DEVIATIONS).flat());

function pad(n: number): string {
  return String(n).padStart(3, '0');
}

function read(file: string): Case[] {
  const url = new URL(`../../cases/patterns/${file}`, import.meta.url);
  return readFileSync(url, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function wanted({ error, match }: Case): unknown {
  return error ? 'rejected' : (match ?? 'accepted');
}

function verdict({ pattern, patternText, event, eventText }: Case): unknown {
  try {
    const compiled = compilePattern(patternText ?? pattern ?? {});
    if (eventText !== undefined) return compiled.matchesJson(eventText);
    return event === undefined ? 'accepted' : compiled.matches(event);
  } catch (error) {
    if (error instanceof InvalidPatternError) return 'rejected';
    throw error;
  }
}

describe.each(['visible.jsonl', 'quirks.jsonl'])('%s', (file) => {
  const cases = read(file);

  test('agrees with AWS, the deviations apart', () => {
    const agreeing = cases.filter(({ name }) => !deviating.has(name));
    expect(agreeing.filter((each) => verdict(each) !== wanted(each)).map(({ name }) => name)).toEqual([]);
  });

  test('an event and its text get the same verdict', () => {
    const plain = cases.filter(({ event, eventText, error }) => event && eventText === undefined && !error);
    const differing = plain.filter(
      (each) => verdict(each) !== verdict({ ...each, eventText: JSON.stringify(each.event) }),
    );
    expect(differing.map(({ name }) => name)).toEqual([]);
  });
});

describe('deviates on purpose', () => {
  const all = new Map([...read('visible.jsonl'), ...read('quirks.jsonl')].map((each) => [each.name, each]));

  test.each(Object.entries(DEVIATIONS))('%s', (_, names) => {
    for (const name of names) {
      const found = all.get(name);
      expect(found, name).toBeDefined();
      if (found) expect(verdict(found), name).not.toBe(wanted(found));
    }
  });
});
