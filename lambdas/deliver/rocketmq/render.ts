import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry } from '../../core/errors.ts';
import { ExactNumber } from '../../core/json.ts';
import { compileExpression, type Expression, isRendered } from '../../core/jsonpath/expression.ts';
import { compileObject } from '../../core/jsonpath/object.ts';
import { redactedText } from '../../core/redacted-text.ts';
import type { MissingVariable } from '../../core/template/template.ts';
import { valueText } from '../../core/template/value-text.ts';
import type { TextConstraint } from '../../core/text-constraint.ts';
import type { Render } from '../sink.ts';
import type { RocketMqOptions } from './config.ts';
import { DELAY_LEVEL, DELIVER_AT, renderedTopicConstraint, TAG } from './constraints.ts';
import type { Message, RocketMqRequest } from './message.ts';
import { checkUserProperty } from './user-property.ts';

type Read<Value> = (scope: object, event: object) => Value;

/** Publishers set these as user properties. They become keys and tag, and RocketMQ refuses properties with these names. */
const KEYS_AND_TAG = new Set(['KEYS', 'TAGS']);

/** Compiles the options to a function that makes requests; it throws NeverRetry for a request that RocketMQ would refuse. */
export function compileRocketMq(
  options: Resolved<RocketMqOptions>,
  missingVariable: MissingVariable,
): Render<RocketMqRequest> {
  const compile = (text: string) => compileExpression(text, missingVariable);
  const topic = compile(options.topic);
  const isTopicRendered = isRendered(options.topic);
  const isTypeRendered = [options.messageGroup, options.deliverAt].some(
    (text) => text !== undefined && isRendered(text),
  );
  const payload =
    typeof options.payload === 'string'
      ? compile(options.payload === '' ? '${.}' : options.payload)
      : compileObject(options.payload, missingVariable);
  const isTopic = renderedTopicConstraint(options.namespace, options.topics);
  const optional = [
    readKeys(compile(options.key)),
    ...(options.tag === undefined ? [] : [readTag(compile(options.tag))]),
    ...(options.properties === undefined ? [] : [readProperties(options.properties, compile)]),
    ...(options.messageGroup === undefined ? [] : [readGroup(compile(options.messageGroup))]),
    ...(options.delayLevel === undefined ? [] : [readDelayLevel(compile(`${options.delayLevel}`))]),
    ...(options.deliverAt === undefined ? [] : [readDeliverAt(compile(options.deliverAt))]),
  ];

  return (scope, event) => {
    const body = payload.bytes(scope, event);
    if (body.length === 0) throw new NeverRetry('REJECTED', 'payload rendered to nothing; expected at least one byte');
    if (body.length > options.maxMessageBytes)
      throw new NeverRetry(
        'MESSAGE_TOO_LARGE',
        `the payload has ${body.length} bytes; expected at most ${options.maxMessageBytes} (maxMessageBytes)`,
      );
    const name = topic.text(scope, event) ?? '';
    // A name that was unknown until deployment is the task's fault: the sink judges it.
    if (isTopicRendered) checkRendered('topic', name, isTopic);
    const message = Object.assign({ body }, ...optional.map((read) => read(scope, event)));
    return { topic: name, isTopicRendered, isTypeRendered, message };
  };
}

function readKeys({ value }: Expression): Read<Pick<Message, 'keys'>> {
  return (scope, event) => {
    const found = value(scope, event);
    const texts = found === undefined ? [] : (Array.isArray(found) ? found : [found]).map(valueText);
    const keys = texts.flatMap((text) => text.split(' ')).filter((key) => key !== '');
    return keys.length === 0 ? {} : { keys: [...new Set(keys)] };
  };
}

function readTag({ value, text }: Expression): Read<Pick<Message, 'tag'>> {
  return (scope, event) => {
    const found = value(scope, event);
    if (Array.isArray(found) && found.length > 1)
      throw new NeverRetry('INVALID_TARGET', `tag rendered to ${found.length} tags; expected one`);
    const tag = (Array.isArray(found) ? found.map(valueText)[0] : text(scope, event)) ?? '';
    checkRendered('tag', tag, TAG);
    return tag === '' ? {} : { tag };
  };
}

function readProperties(
  texts: string | Readonly<Record<string, string>>,
  compile: (text: string) => Expression,
): Read<Pick<Message, 'properties'>> {
  if (typeof texts === 'string') {
    const { value } = compile(texts);
    return (scope, event) => ({ properties: asProperties(value(scope, event)) });
  }
  const compiled = Object.entries(texts).map(([name, text]) => [name, compile(text)] as const);
  return (scope, event) => {
    const entries = compiled.map(([name, { text }]) => [name, text(scope, event)] as const);
    return {
      properties: Object.fromEntries(entries.filter((entry) => entry[1] !== undefined)) as Record<string, string>,
    };
  };
}

function asProperties(found: unknown): Record<string, string> {
  if (found === undefined) return {};
  if (typeof found !== 'object' || Array.isArray(found) || found instanceof ExactNumber)
    throw new NeverRetry('REJECTED', 'properties: got a value of another type; expected an object of names and values');
  // MQTT allows user properties without a name (MQTT 5, 3.3.2.3.7), RocketMQ does not.
  const entries = Object.entries(found as object).filter(
    ([name, value]) => name !== '' && value !== null && !KEYS_AND_TAG.has(name),
  );
  for (const [name] of entries) checkUserProperty(name);
  return Object.fromEntries(entries.map(([name, value]) => [name, valueText(value)]));
}

function readGroup({ text }: Expression): Read<Pick<Message, 'group'>> {
  return (scope, event) => {
    const group = text(scope, event) ?? '';
    return group === '' ? {} : { group };
  };
}

function readDelayLevel({ text }: Expression): Read<Pick<Message, 'delayLevel'>> {
  return (scope, event) => {
    const level = wholeNumber('delayLevel', text(scope, event), DELAY_LEVEL);
    return level === 0 ? {} : { delayLevel: level };
  };
}

function readDeliverAt({ text }: Expression): Read<Pick<Message, 'deliverAtMs'>> {
  return (scope, event) => {
    const deliverAtMs = wholeNumber('deliverAt', text(scope, event), DELIVER_AT);
    return deliverAtMs === 0 ? {} : { deliverAtMs };
  };
}

/** @returns 0 for an empty text. */
function wholeNumber(option: string, text = '', constraint: TextConstraint): number {
  checkRendered(option, text, constraint);
  return Number(text);
}

// A rendered text may come from a publisher, so it is not repeated word for word.
function checkRendered(option: string, text: string, { isMet, expected, refused }: TextConstraint): void {
  if (!isMet(text))
    throw new NeverRetry(
      'INVALID_TARGET',
      `${option} rendered to ${redactedText(text, refused)}; expected ${expected}`,
    );
}
