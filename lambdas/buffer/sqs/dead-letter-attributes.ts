import type { DeadLetter } from '../../worker/message.ts';
import { replaced } from './sqs-text.ts';

export interface StringAttribute {
  readonly DataType: 'String' | 'Number';
  readonly StringValue: string;
}

/** Bytes of an attribute's text; longer text is cut, so that a dead letter stays about as large as its body. */
const MAX_TEXT_BYTES = 1024;

/** The ten attributes of a dead letter: those of EventBridge's dead letters, and STAGE, TASK, MESSAGE_ID, FIRST_SEEN. */
export function deadLetterAttributes(deadLetter: DeadLetter, task: string): Record<string, StringAttribute> {
  return {
    ERROR_CODE: text(deadLetter.error.code),
    ERROR_MESSAGE: text(deadLetter.error.message),
    EXHAUSTED_RETRY_CONDITION: text(deadLetter.exhausted),
    RETRY_ATTEMPTS: { DataType: 'Number', StringValue: String(deadLetter.retryAttempts) },
    RULE_ARN: text(deadLetter.ruleArn),
    TARGET_ARN: text(deadLetter.targetArn),
    STAGE: text(deadLetter.stage),
    TASK: text(task),
    MESSAGE_ID: text(deadLetter.messageId),
    FIRST_SEEN: { DataType: 'Number', StringValue: String(deadLetter.firstSeen) },
  };
}

function text(value: string): StringAttribute {
  return { DataType: 'String', StringValue: clip(replaced(value)) || 'unknown' };
}

function clip(value: string): string {
  if (Buffer.byteLength(value) <= MAX_TEXT_BYTES) return value;
  // Cutting bytes can halve a character; decoding turns that into a replacement character, which is cut, too.
  const start = Buffer.from(value)
    .subarray(0, MAX_TEXT_BYTES - 3)
    .toString();
  return `${start.replace(/\uFFFD$/, '')}…`;
}
