import type { SQSMessageAttribute, SQSMessageAttributes } from 'aws-lambda';
import type { BufferMessage, OwedChildren, Requeued } from '../../worker/message.ts';
import type { MessageAttributes } from './send-batch.ts';

/** Attributes of a message on the retry queue. */
const ATTEMPT = 'ATTEMPT';
const FIRST_SEEN = 'FIRST_SEEN';
const CHILDREN = 'CHILDREN';
const SUSPECT = 'SUSPECT';
const STOPS = 'STOPS';
/** Dead letters have this one. */
const ERROR_CODE = 'ERROR_CODE';

/** What the attributes of a message say about its earlier tries. */
export type RetryState = Pick<BufferMessage, 'attempt' | 'firstSeen' | 'children' | 'isSuspect' | 'stops'>;

export function writeRetryAttributes({
  attempt,
  firstSeen,
  children,
  isSuspect,
  stops = 0,
}: Requeued): MessageAttributes {
  return {
    [ATTEMPT]: { DataType: 'Number', StringValue: String(attempt) },
    [FIRST_SEEN]: { DataType: 'Number', StringValue: String(firstSeen) },
    ...(children !== undefined && { [CHILDREN]: { DataType: 'String', StringValue: writeChildren(children) } }),
    ...(isSuspect && { [SUSPECT]: { DataType: 'Number', StringValue: '1' } }),
    ...(stops > 0 && { [STOPS]: { DataType: 'Number', StringValue: String(stops) } }),
  };
}

/** Reads what {@link writeRetryAttributes} wrote. A redriven dead letter starts afresh, whatever its attributes say. */
export function readRetryAttributes(attributes: SQSMessageAttributes, sentAt: number): RetryState {
  if (attributes[ERROR_CODE] !== undefined)
    return { attempt: 0, firstSeen: sentAt, children: undefined, isSuspect: false, stops: 0 };
  return {
    attempt: wholeNumber(attributes[ATTEMPT]) ?? 0,
    firstSeen: wholeNumber(attributes[FIRST_SEEN]),
    children: readChildren(attributes[CHILDREN]?.stringValue),
    isSuspect: attributes[SUSPECT] !== undefined,
    stops: wholeNumber(attributes[STOPS]) ?? 0,
  };
}

export function writeChildren({ by, numbers }: OwedChildren): string {
  return `${by}:${numbers.join(',')}`;
}

function readChildren(text: string | undefined): OwedChildren | undefined {
  // Almost no message has this attribute, and the expression costs as much as reading the rest of a message.
  if (text === undefined) return undefined;
  const [, by, numbers] = /^([0-9a-f]{12}):(\d{1,9}(?:,\d{1,9})*)$/.exec(text) ?? [];
  return by === undefined ? undefined : { by, numbers: numbers!.split(',').map(Number) };
}

function wholeNumber(attribute: SQSMessageAttribute | undefined): number | undefined {
  if (attribute === undefined) return undefined;
  const value = Number(attribute.stringValue);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
