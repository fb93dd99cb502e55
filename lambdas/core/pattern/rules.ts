import { InvalidPatternError } from '../errors.ts';
import { type Condition, compileCondition } from './operators.ts';
import { Members, type PatternValue, pathText, reject } from './value.ts';

/** Alternatives to which the `$or`s of a pattern may multiply. */
export const MAX_ALTERNATIVES = 1_000;
/** Fields that all alternatives may have together. */
const MAX_ALTERNATIVE_FIELDS = 100_000;

/** A field of a pattern and its condition. */
export interface Field {
  readonly path: readonly string[];
  readonly condition: Condition;
}

/** Fields that must all match, by path. */
type Rule = Map<string, Field>;

// Names that AWS reserves inside $or, some for future operators: an operator that belongs in a list would otherwise become a
// field name unnoticed.
const RESERVED_IN_OR = new Set([
  ...['exactly', 'prefix', 'suffix', 'equals-ignore-case', 'wildcard', 'anything-but', 'exists', 'numeric', 'cidr'],
  ...['=', '<', '<=', '>', '>=', 'regex', 'not-wildcard', 'not-equals-ignore-case'],
  ...['date-after', 'date-on-or-after', 'date-before', 'date-on-or-before', 'in-date-range'],
  ...['ip-address-in-range', 'ip-address-not-in-range'],
]);

/** Expands a pattern to its alternatives. The pattern matches when all fields of any alternative match. */
export function toRules(pattern: PatternValue): Field[][] {
  if (!(pattern instanceof Members)) return reject('the pattern', pattern, 'an object');
  return withMembers([new Map()], pattern, { path: [], key: '', insideOr: false }).map((rule) => [...rule.values()]);
}

interface Place {
  readonly path: readonly string[];
  /** The path as one text, each step with its length, so that it is unique. */
  readonly key: string;
  readonly insideOr: boolean;
}

function withMembers(rules: Rule[], members: Members, place: Place): Rule[] {
  if (members.entries.length === 0) reject(pathText(place.path), members, 'at least one field');
  let all = rules;
  for (const [name, value] of members.entries) {
    if (name === '$or') all = withAlternatives(all, value, place);
    else if (place.insideOr && RESERVED_IN_OR.has(name)) reject(pathText(place.path), name, 'another field inside $or');
    else
      all = withField(all, value, { ...place, path: [...place.path, name], key: `${place.key}${name.length}:${name}` });
  }
  return all;
}

function withField(rules: Rule[], value: PatternValue, place: Place): Rule[] {
  if (value instanceof Members) return withMembers(rules, value, place);
  if (!Array.isArray(value)) return reject(pathText(place.path), value, 'a list of values, or an object of fields');
  const field = { path: place.path, condition: compileCondition(value, pathText(place.path)) };
  // A repeated field replaces the earlier one.
  for (const rule of rules) rule.set(place.key, field);
  if (rules.length > 1 && fieldCount(rules) > MAX_ALTERNATIVE_FIELDS) tooMany(place);
  return rules;
}

function withAlternatives(rules: readonly Rule[], value: PatternValue, place: Place): Rule[] {
  if (!Array.isArray(value) || value.length < 2) {
    return reject(`${pathText(place.path)}: $or`, value, 'a list of at least two objects');
  }
  const size = fieldCount(rules);
  const all: Rule[] = [];
  for (const [i, alternative] of value.entries()) {
    if (!(alternative instanceof Members)) reject(`${pathText(place.path)}: $or`, alternative, 'an object of fields');
    if (size * (i + 1) > MAX_ALTERNATIVE_FIELDS) tooMany(place);
    const copies = rules.map((rule) => new Map(rule));
    all.push(...withMembers(copies, alternative, { ...place, insideOr: true }));
    if (all.length > MAX_ALTERNATIVES) tooMany(place);
  }
  return all;
}

function fieldCount(rules: readonly Rule[]): number {
  return rules.reduce((count, rule) => count + rule.size, 0);
}

function tooMany({ path }: Place): never {
  throw new InvalidPatternError(
    `${pathText(path)}: $or: multiplies to too many alternatives; expected at most ${MAX_ALTERNATIVES}, ` +
      `with ${MAX_ALTERNATIVE_FIELDS} fields in all`,
  );
}
