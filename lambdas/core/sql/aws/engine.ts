import { parseJson, stringifyJson } from '../../json.ts';
import { matchesTopicFilter } from '../../topic-filter.ts';
import { EVERYTHING, iotFunction, type Value } from './functions.ts';
import type { IotMessage } from './message.ts';
import { type Expression, parseExpression, parseStatement } from './parse.ts';

/** The compiled SQL of a rule. */
export interface IotSql {
  /** The rule's topic filter. */
  readonly from: string;
  /** Returns the bytes that the rule's actions receive; undefined when the rule does not fire. */
  evaluate(message: IotMessage): { readonly payload: Uint8Array } | undefined;
}

/**
 * Compiles the SQL of a rule, version 2016-03-23 (AWS IoT Core, "SQL reference").
 *
 * @throws InvalidSqlError for SQL outside the subset that {@link parseStatement} accepts.
 */
export function compileIotSql(sql: string): IotSql {
  const { items, from, where } = parseStatement(sql);
  const condition = where === undefined ? undefined : compile(where);
  const wholePayload = items.length === 1 && items[0]!.expression.kind === 'everything';
  const fields = items.map(({ expression, alias }) => ({ key: alias, value: compile(expression) }));

  return {
    from,
    evaluate(published) {
      const topic = basicIngestTopic(published.topic);
      // Basic Ingest names the rule, so its topic filter does not choose messages (AWS IoT Core, "Basic Ingest").
      if (topic === undefined && !matchesTopicFilter(from, published.topic)) return undefined;
      const message = topic === undefined ? published : { ...published, topic };
      if (condition !== undefined && condition(message) !== true) return undefined;
      if (wholePayload) return { payload: reserialised(message.payload) };
      const output: Record<string, Value> = {};
      fields.forEach(({ key, value }, i) => {
        output[key ?? `_${i}`] = value(message);
      });
      return { payload: Buffer.from(JSON.stringify(output)) };
    },
  };
}

/** What `topic()` returns for a Basic Ingest topic, `$aws/rules/<rule>/<topic>`; undefined for others. */
function basicIngestTopic(topic: string): string | undefined {
  const found = BASIC_INGEST.exec(topic);
  return found === null ? undefined : (found[1] ?? '');
}

const BASIC_INGEST = /^\$aws\/rules\/[^/]+(?:\/([\s\S]*)|$)/;

/** Renders a substitution template: `${…}` of SQL expressions (AWS IoT Core, "Substitution templates"). @throws InvalidSqlError */
export function renderIotTemplate(template: string, published: IotMessage): string {
  const message = { ...published, topic: basicIngestTopic(published.topic) ?? published.topic };
  return template.replace(/\$\{([^}]*)\}/g, (_, expression: string) => {
    const value = compile(parseExpression(expression))(message);
    return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  });
}

function compile(expression: Expression): (message: IotMessage) => Value {
  switch (expression.kind) {
    case 'literal':
      return () => expression.value;
    case 'everything':
      return () => EVERYTHING;
    case 'field':
      return ({ payload }) => field(payload, expression.name);
    case 'call': {
      const call = iotFunction(expression.name);
      const args = expression.args.map(compile);
      return (message) =>
        call(
          message,
          args.map((arg) => arg(message)),
        );
    }
    case 'not': {
      const of = compile(expression.of);
      return (message) => negate(of(message));
    }
    case 'case': {
      const of = compile(expression.of);
      const choices = expression.when.map(({ is, gives }) => ({ is: compile(is), gives: compile(gives) }));
      const otherwise = expression.otherwise && compile(expression.otherwise);
      return (message) => {
        const value = of(message);
        if (value === undefined) return undefined;
        return (choices.find(({ is }) => is(message) === value)?.gives ?? otherwise)?.(message);
      };
    }
    default: {
      const [left, right] = [compile(expression.left), compile(expression.right)];
      if (expression.kind === '=') return (message) => left(message) === right(message);
      if (expression.kind === '<>') return (message) => differ(left(message), right(message));
      const all = expression.kind === 'and';
      return (message) =>
        all ? left(message) === true && right(message) === true : left(message) === true || right(message) === true;
    }
  }
}

function differ(left: Value, right: Value): Value {
  return left === undefined || right === undefined ? undefined : left !== right;
}

function negate(value: Value): Value {
  return typeof value === 'boolean' ? !value : undefined;
}

function field(payload: Uint8Array, name: string): Value {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return undefined; // a payload that is not JSON has no fields
  }
  const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, name);
  return isObject ? (value as Record<string, Value>)[name] : undefined;
}

// For `SELECT *`, AWS IoT Core serialises a JSON payload again and passes any other payload unchanged.
function reserialised(payload: Uint8Array): Uint8Array {
  try {
    return Buffer.from(stringifyJson(parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload))));
  } catch {
    return payload;
  }
}
