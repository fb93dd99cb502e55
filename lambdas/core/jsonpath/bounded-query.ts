import {
  type FilterFunction,
  JSONPathEnvironment,
  JSONPathNode,
  JSONPathNodeList,
  type JSONPathQuery,
  jsonpath,
} from 'json-p3';
import { ExactNumber, MAX_JSON_DEPTH } from '../json.ts';
import { childAt, isContainer } from './child.ts';
import { quantifiersOf, repeatsVariableGroup } from './regular-expression.ts';
import { countPattern, countSteps } from './steps.ts';

type Json = JSONPathNode['value'];
type Expression = jsonpath.expressions.FilterExpression;
type Segment = JSONPathQuery['segments'][number];
type Selector = Segment['selectors'][number];
type NamingSelector = jsonpath.selectors.NameSelector | jsonpath.selectors.IndexSelector;

/** Steps of each part of a filter's expression, for each child: `@.t > 20` has four parts. */
const STEPS_OF_PART = 2;
const partsOf = new WeakMap<Selector, number>();

const { FilterQuery, FunctionExtension, InfixExpression, LogicalExpression, PrefixExpression, StringLiteral } =
  jsonpath.expressions;
const { FilterSelector, IndexSelector, NameSelector, WildcardSelector } = jsonpath.selectors;
const { Match, Search } = jsonpath.functions;

/** JSONPath as RFC 9535 has it, except that the patterns of `match` and `search` must be literals. */
class BoundedEnvironment extends JSONPathEnvironment {
  constructor() {
    super({ maxRecursionDepth: MAX_JSON_DEPTH });
  }

  override setupFilterFunctions(): void {
    super.setupFilterFunctions();
    this.functionRegister.set('match', boundedPattern(new Match()));
    this.functionRegister.set('search', boundedPattern(new Search()));
  }

  /** A pattern that a message gives may take exponential time. */
  override checkWellTypedness(...[token, args]: Parameters<JSONPathEnvironment['checkWellTypedness']>) {
    const checked = super.checkWellTypedness(token, args);
    if (token.value !== 'match' && token.value !== 'search') return checked;
    const pattern = checked[1];
    if (!(pattern instanceof StringLiteral))
      throw new Error(`the pattern of ${token.value}() is ${pattern}; expected a string literal`);
    new Match({ throwErrors: true }).call('', pattern.value);
    if (repeatsVariableGroup(pattern.value))
      throw new Error(
        `the pattern ${pattern} repeats a group with a quantifier or alternatives; expected a class such as [a-z]+ instead`,
      );
    return checked;
  }
}

const environment = new BoundedEnvironment();

/** Parses a JSONPath, whose filters then count their steps. @throws Error for any other text. */
export function parseJsonPath(text: string): JSONPathQuery {
  const query = environment.compile(text);
  boundFilters(query.segments);
  return query;
}

export function isDescendant(segment: Segment): boolean {
  return segment.toString().startsWith('..');
}

/**
 * Finds the values of segments, and counts its steps. json-p3 finds the same, but copies the location of each value that it
 * visits, which takes quadratic time and memory for nested values.
 *
 * @throws NeverRetry INVALID_PAYLOAD beyond the limit.
 */
export function select(segments: readonly Segment[], value: unknown, root = value): unknown[] {
  let values = [value];
  for (const segment of segments) {
    const found: unknown[] = [];
    const selectInside = isDescendant(segment);
    const needsChildren = selectInside || !segment.selectors.every(namesOne);
    const visit = (visited: unknown): void => {
      countSteps(1);
      if (!isContainer(visited)) return;
      const children = needsChildren ? childrenOf(visited) : [];
      for (const selector of segment.selectors) selectFrom(visited, children, selector, root, found);
      if (selectInside) for (const child of children) visit(child);
    };
    for (const one of values) visit(one);
    values = found;
  }
  return values;
}

function namesOne(selector: Selector): selector is NamingSelector {
  return selector instanceof NameSelector || selector instanceof IndexSelector;
}

function selectFrom(
  value: object,
  children: readonly unknown[],
  selector: Selector,
  root: unknown,
  found: unknown[],
): void {
  if (namesOne(selector)) {
    const child = childAt(value, selector instanceof NameSelector ? selector.name : selector.index);
    if (child !== undefined) found.push(child);
    return;
  }
  if (selector instanceof WildcardSelector) {
    countSteps(children.length);
    for (const child of children) found.push(child);
    return;
  }
  countSteps(children.length * STEPS_OF_PART * (partsOf.get(selector) ?? 1));
  for (const node of selector.resolve(new JSONPathNode(value as Json, [], root as Json))) found.push(node.value);
}

function childrenOf(value: object): readonly unknown[] {
  return Array.isArray(value) ? value : Object.values(value);
}

function boundFilters(segments: readonly Segment[]): void {
  for (const { selectors } of segments)
    for (const selector of selectors)
      if (selector instanceof FilterSelector) partsOf.set(selector, boundExpression(selector.expression));
}

/** @returns the number of the expression's parts. */
function boundExpression(expression: Expression): number {
  const parts = (inner: readonly Expression[]) => inner.reduce((sum, one) => sum + boundExpression(one), 1);
  if (expression instanceof LogicalExpression) return parts([expression.expression]);
  if (expression instanceof PrefixExpression) return parts([expression.right]);
  if (expression instanceof InfixExpression) return parts([expression.left, expression.right]);
  if (expression instanceof FunctionExtension) return parts(expression.args);
  if (expression instanceof FilterQuery) {
    const { segments } = expression.path;
    boundFilters(segments);
    Object.assign(expression.path, { query: (value: unknown) => comparableNodes(select(segments, value)) });
  }
  return 1;
}

function comparableNodes(values: readonly unknown[]): JSONPathNodeList {
  return new JSONPathNodeList(values.map((value) => new JSONPathNode(comparable(value), [], null)));
}

/** Copies a value with plain numbers, which filters can compare. */
function comparable(value: unknown): Json {
  countSteps(1);
  if (value instanceof ExactNumber) return value.value;
  if (!isContainer(value)) return value as Json;
  if (Array.isArray(value)) return value.map(comparable);
  const copy = Object.create(null);
  for (const [name, inner] of Object.entries(value)) copy[name] = comparable(inner);
  return copy;
}

function boundedPattern(pattern: FilterFunction): FilterFunction {
  const { argTypes, returnType } = pattern;
  return {
    argTypes,
    returnType,
    call(text, literal) {
      if (typeof text !== 'string') return false;
      countPattern(text, quantifiersOf(literal as string));
      return pattern.call(text, literal);
    },
  };
}
