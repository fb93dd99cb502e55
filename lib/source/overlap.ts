import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { coversTopicFilter, overlapTopicFilters } from '../../lambdas/core/topic-filter.ts';

interface FromClause {
  readonly from: string;
  /** Topic filters whose topics the WHERE clause excludes. */
  readonly excludes: readonly string[];
}

/**
 * FROM and WHERE clauses, one per topic filter, with which each message fires one rule. AWS IoT Core evaluates each rule for
 * itself, so where two filters overlap, one rule excludes the topics of the other. The expressions hold for every character:
 * none has a `.` or a `$`, which Java's regular expressions match differently at line ends, and none has a backslash or a quote.
 *
 * AWS's documents do not agree on whether `a/#` matches `a`. A rule whose filter ends in `#` therefore gets the topics that another
 * rule surely matches excluded, and gives up none for a topic that it matches only perhaps.
 *
 * @param filters Topic filters; none may cover another, see {@link withoutCovered}.
 * @throws InvalidOptionError for a topic filter that no such expression excludes.
 */
export function fromClauses(filters: readonly string[], option: string): FromClause[] {
  const order = [...filters].sort((a, b) => precedence(a) - precedence(b));
  return filters.map((filter) => {
    const excludes = order.slice(0, order.indexOf(filter)).filter((other) => overlapTopicFilters(other, filter));
    const where = excludes.map((other) => excluding(other, precedence(other) === precedence(filter), option));
    return { from: `FROM '${filter}'${where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`}`, excludes };
  });
}

/**
 * Removes filters that another one covers, whether or not `a/#` matches `a`: their rules would never fire, because each message
 * fires one rule.
 */
export function withoutCovered(filters: readonly string[]): string[] {
  return filters.filter(
    (filter, i) =>
      !filters.some((other, j) => i !== j && surelyCovers(other, filter) && !(surelyCovers(filter, other) && i < j)),
  );
}

function surelyCovers(outer: string, inner: string): boolean {
  const isParent = outer.endsWith('#') && inner.split('/').length < outer.split('/').length;
  return !isParent && coversTopicFilter(outer, inner);
}

/**
 * Of two filters that overlap, the one of lower precedence takes the message: filters without `#` first, then those with `#` at the
 * lowest level. A filter then never takes a topic that it matches only perhaps and a later one surely.
 */
function precedence(filter: string): number {
  return filter.endsWith('#') ? filter.split('/').length : 0;
}

/**
 * A condition that is false for the topics of a filter.
 *
 * @param isPeer Whether both filters end in `#` at the same level, so that they match the parent level only perhaps, and together.
 */
function excluding(filter: string, isPeer: boolean, option: string): string {
  const isDeep = filter.endsWith('#');
  const levels = isDeep ? filter.split('/').slice(0, -1) : filter.split('/');
  if (!levels.includes('+'))
    return isDeep ? `NOT startswith(topic(), '${levels.join('/')}/')` : `topic() <> '${filter}'`;
  if (/[\^[\]]/.test(filter))
    throw new InvalidOptionError(
      option,
      filter,
      "a filter without '^', '[' and ']', because it has a '+' and overlaps with another filter",
    );
  const start = `^${levels.map((level, i) => levelRegExp(level, i === 0)).join('/')}`;
  const last = levels.at(-1)!;
  if (isDeep && !isPeer) return `NOT ${matches(`${start}/`)}`;
  if (isDeep) return last === '+' ? `NOT ${matches(start)}` : unless(start, `${start}[^/]`);
  return unless(start, last === '+' ? `${start}/` : `${start}([^/]|/)`);
}

function levelRegExp(level: string, isFirst: boolean): string {
  if (level !== '+') return level.replace(/[.*?(){}|$]/g, '[$&]');
  // A wildcard at the first level does not match topics that begin with `$` (MQTT 5, section 4.7.2).
  return isFirst ? '([^$/][^/]*)?' : '[^/]*';
}

/** Where a `$` would mark the end, a second expression finds a topic that goes on. */
function unless(start: string, goesOn: string): string {
  return `(NOT ${matches(start)} OR ${matches(goesOn)})`;
}

function matches(expression: string): string {
  return `regexp_matches(topic(), '${expression}')`;
}
