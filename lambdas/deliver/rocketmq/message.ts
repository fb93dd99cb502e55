import { NeverRetry, StopTask, show } from '../../core/errors.ts';
import { redactedText } from '../../core/redacted-text.ts';
import type { DeliverContext } from '../sink.ts';
import { TAG, topicConstraint } from './constraints.ts';

/** A message before it is checked and encoded for a protocol. */
export interface Message {
  /** At least one byte: RocketMQ 5 refuses an empty body. */
  readonly body: Uint8Array;
  /** Consumers find a message and recognise its duplicates by its keys; a key holds no space. @default - none */
  readonly keys?: readonly string[];
  /** Consumers filter by it; not blank, without `|`. @default - none */
  readonly tag?: string;
  /** User properties. Those with an empty value do not arrive. @default - none */
  readonly properties?: Readonly<Record<string, string>>;
  /** Message group, or sharding key: messages of one group go to one queue, in their order. @default - any queue */
  readonly group?: string;
  /** Delivered after the delay of this level, 1 to 18; by default 1 s, 5 s, 10 s, 30 s, 1 to 10 min, 20 min, 30 min, 1 h, 2 h. */
  readonly delayLevel?: number;
  /** Delivered at this time, in milliseconds since 1970: by RocketMQ 5 only, and by default at most three days ahead. */
  readonly deliverAtMs?: number;
}

export interface RocketMqRequest {
  /** Without its namespace. */
  readonly topic: string;
  /** Whether a template named the topic: a wrong name is then the message's fault, not the task's. */
  readonly isTopicRendered: boolean;
  /** Whether the message decides its type, by a group or time that a template rendered; a topic may then refuse some messages. */
  readonly isTypeRendered: boolean;
  readonly message: Message;
}

/**
 * What must stay in order: messages of a group always, as RocketMQ promises; in strict order, all others of a topic.
 *
 * @param topic A topic's name, which holds no line break.
 */
export function orderKey(topic: string, group: string | undefined, order: DeliverContext['order']): string | undefined {
  if (group !== undefined) return `${topic}\n${group}`;
  return order === 'strict' ? topic : undefined;
}

const TOPIC = topicConstraint();

/**
 * Checks the name of a topic, namespace included. Templates that name topics are checked when they are rendered, and literal
 * names at synth, so this finds names that were unknown until deployment.
 *
 * @throws NeverRetry for a topic that a template named; StopTask for one that the task itself names.
 */
export function checkTopic(topic: string, isTopicRendered: boolean): void {
  if (TOPIC.isMet(topic)) return;
  if (isTopicRendered)
    throw new NeverRetry(
      'INVALID_TARGET',
      `topic: got ${redactedText(topic, TOPIC.refused)}; expected ${TOPIC.expected}`,
    );
  throw new StopTask(`topic: got ${show(topic)}; expected ${TOPIC.expected}`);
}

export function checkKey(key: string): string {
  if (key === '' || key.includes(' '))
    throw rejected('key', redactedText(key, / /), 'a text that is not empty and holds no space');
  return key;
}

export function checkTag(tag: string): string {
  if (tag === '' || !TAG.isMet(tag)) throw rejected('tag', redactedText(tag, TAG.refused), TAG.expected);
  return tag;
}

export function checkTime(timeMs: number): number {
  if (!Number.isSafeInteger(timeMs) || timeMs < 0)
    throw rejected('deliverAtMs', 'another number', 'milliseconds since 1970');
  return timeMs;
}

export function tooLarge(bytes: number, maxBytes: number): NeverRetry {
  return new NeverRetry('MESSAGE_TOO_LARGE', `the body has ${bytes} bytes; expected at most ${maxBytes}`);
}

/** @param given A description, never the value: it may come from a publisher, and dead letters and logs do not repeat it. */
export function rejected(option: string, given: string, expected: string): NeverRetry {
  return new NeverRetry('REJECTED', `${option}: got ${given}; expected ${expected}`);
}
