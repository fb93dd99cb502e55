import type { NeverRetry, Stage } from '../core/errors.ts';

/** Why the retries of a dead letter ended; `None` for one that was never worth retrying. */
export type ExhaustedRetryCondition = 'None' | 'MaximumRetryAttempts' | 'MaximumEventAgeInSeconds';

/** A message for the dead-letter queue: the body is what the buffer held, so that it can be redriven as it is. */
export interface DeadLetter {
  readonly body: string;
  readonly error: NeverRetry;
  readonly stage: Stage;
  readonly messageId: string;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  readonly retryAttempts: number;
  readonly exhausted: ExhaustedRetryCondition;
  readonly ruleArn: string;
  readonly targetArn: string;
}

/** Takes dead letters. */
export interface DeadLetters {
  /** @returns for each letter whether it is safely stored. It never throws: a letter not stored stays in the buffer. */
  send(letters: readonly DeadLetter[]): Promise<readonly boolean[]>;
}

export interface StringAttribute {
  readonly DataType: 'String' | 'Number';
  readonly StringValue: string;
}

/** An attribute's text is cut here; a dead letter is its body, not an essay. */
const MAX_TEXT_BYTES = 1024;

/** The ten attributes of a dead letter: those that EventBridge gives its own, and STAGE, TASK, MESSAGE_ID, FIRST_SEEN. */
export function deadLetterAttributes(letter: DeadLetter, task: string): Record<string, StringAttribute> {
  return {
    ERROR_CODE: text(letter.error.code),
    ERROR_MESSAGE: text(letter.error.message),
    EXHAUSTED_RETRY_CONDITION: text(letter.exhausted),
    RETRY_ATTEMPTS: { DataType: 'Number', StringValue: String(letter.retryAttempts) },
    RULE_ARN: text(letter.ruleArn),
    TARGET_ARN: text(letter.targetArn),
    STAGE: text(letter.stage),
    TASK: text(task),
    MESSAGE_ID: text(letter.messageId),
    FIRST_SEEN: { DataType: 'Number', StringValue: String(letter.firstSeen) },
  };
}

function text(value: string): StringAttribute {
  return { DataType: 'String', StringValue: clip(value.toWellFormed().replace(NOT_IN_SQS, '\uFFFD')) || 'unknown' };
}

// SQS refuses control characters and the two noncharacters in attribute values as well as in bodies.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
const NOT_IN_SQS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

function clip(value: string): string {
  if (Buffer.byteLength(value) <= MAX_TEXT_BYTES) return value;
  // Cutting bytes can halve a character; decoding marks that with a replacement character, which goes too.
  const start = Buffer.from(value)
    .subarray(0, MAX_TEXT_BYTES - 3)
    .toString();
  return `${start.replace(/\uFFFD$/, '')}…`;
}
