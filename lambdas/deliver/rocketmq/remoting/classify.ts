import { type FailureKind, NeverRetry, RetryLater, StopTask } from '../../../core/errors.ts';
import { isTlsFailure } from '../../../net/tls.ts';
import { withoutTopic } from '../remark.ts';
import { resultCodes } from './command.ts';
import { MissingTopicError, NoAnswerError, RefusedError, ServerTopicError } from './errors.ts';

export type Verdict = RetryLater | NeverRetry | StopTask;

export interface FailedSend {
  /** Begins the error's message. @default 'send to topic …' */
  readonly operation?: string;
  readonly topic: string;
  /** Whether a template named the topic: a wrong topic is then the message's fault, else it stops the task. */
  readonly isTopicRendered: boolean;
  /** Whether an attempt was not answered, so that a broker may have stored the message. */
  readonly isMaybeStored: boolean;
}

/** What a failure means. */
type Class = 'retry' | 'stop' | 'target' | 'rejected' | 'too large';

/** Classifies answers with this code, and with this remark where there is one. */
interface Rule {
  readonly code: number;
  readonly remark?: RegExp;
  readonly is: Class;
}

const { systemError, messageIllegal, noPermission, invalidParameter } = resultCodes;

/** These come before patterns for words that may occur in the name of a user or access key. */
const NOT_KNOWN_BY_4 = /AclException: (check signature failed|no acl config) for/i;
const NOT_KNOWN_BY_5 = /^\s*User:.* is not found/is;

/**
 * The first rule that matches a broker's answer applies. RocketMQ 4.9 answers almost every failure with code 1 and a remark.
 * Unknown failures are retried, which loses nothing. Observed on 4.9.4 and 5.5.0.
 */
const RULES: readonly Rule[] = [
  { code: systemError, remark: NOT_KNOWN_BY_4, is: 'stop' },
  { code: systemError, remark: /AclException.*(permission for (topic|group)|deny)/is, is: 'target' },
  { code: systemError, remark: /AclException/, is: 'stop' },
  { code: systemError, remark: /topic.*(illegal characters|longer than|is blank)/is, is: 'target' },
  { code: systemError, remark: /size exceeded/i, is: 'too large' },
  { code: systemError, remark: /NullPointer|BufferUnderflow/, is: 'rejected' },
  { code: resultCodes.requestCodeNotSupported, is: 'stop' },
  { code: resultCodes.versionNotSupported, is: 'stop' },
  { code: messageIllegal, remark: /timer message/i, is: 'rejected' },
  { code: messageIllegal, is: 'too large' },
  // The broker was taken out of service.
  { code: noPermission, remark: /the broker\b.*forbidden/is, is: 'retry' },
  { code: noPermission, remark: NOT_KNOWN_BY_5, is: 'stop' },
  { code: noPermission, remark: /topic/i, is: 'target' },
  { code: noPermission, remark: /signature|cannot be null/i, is: 'stop' },
  { code: noPermission, is: 'target' },
  { code: resultCodes.topicNotExist, is: 'target' },
  // A retry topic whose consumer group does not exist.
  { code: resultCodes.subscriptionGroupNotExist, is: 'target' },
  // The topic has fewer queues than its route.
  { code: invalidParameter, remark: /queueId/i, is: 'retry' },
  { code: invalidParameter, remark: /topic/i, is: 'target' },
  { code: invalidParameter, is: 'rejected' },
];

const BUSY: ReadonlySet<number> = new Set([resultCodes.systemBusy, resultCodes.flowControl]);
const CREDENTIALS =
  /AclException(?!.*(permission for (topic|group)|deny))|no acl config for|signature|is not found|cannot be null/is;

/** Whether a server refuses the credentials, so that new ones may help after a rotation. */
export function isCredentialsRefusal(error: unknown): error is RefusedError {
  return (
    error instanceof RefusedError &&
    (error.code === systemError || error.code === noPermission) &&
    classOf(error) === 'stop' &&
    CREDENTIALS.test(error.remark)
  );
}

export function isTooLarge(error: unknown): error is RefusedError {
  return error instanceof RefusedError && classOf(error) === 'too large';
}

/** Whether another queue may accept the request, or the same one a moment later. */
export function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof NeverRetry || error instanceof StopTask) return false;
  // The topic may have moved to another broker, which the name servers know.
  if (error instanceof RefusedError && error.code === resultCodes.topicNotExist) return true;
  return classOf(error) === 'retry';
}

/** Returns the error for a failed send. The server's code is in its message, and in its cause. */
export function classify(
  error: unknown,
  { topic, isTopicRendered, isMaybeStored, operation = `send to topic ${topic}` }: FailedSend,
): Verdict {
  if (error instanceof NeverRetry || error instanceof StopTask) return error;
  const reason = `${operation}: ${(error as Error).message}${isMaybeStored ? ' (it may be stored)' : ''}`;
  const options = { cause: error };
  switch (classOf(error, topic)) {
    case 'stop':
      return new StopTask(reason, options);
    case 'target':
      return isTopicRendered ? new NeverRetry('INVALID_TARGET', reason, options) : new StopTask(reason, options);
    case 'rejected':
      return new NeverRetry('REJECTED', reason, options);
    case 'too large':
      return new NeverRetry('MESSAGE_TOO_LARGE', reason, options);
    case 'retry':
      return new RetryLater(reason, { ...options, kind: kindOf(error) });
  }
}

function kindOf(error: unknown): FailureKind {
  if (error instanceof RefusedError && BUSY.has(error.code)) return 'throttled';
  return error instanceof NoAnswerError && error.reason === 'timeout' ? 'timeout' : 'unavailable';
}

function classOf(error: unknown, topic = ''): Class {
  if (error instanceof MissingTopicError || error instanceof ServerTopicError) return 'target';
  if (isTlsFailure(error)) return 'stop';
  if (!(error instanceof RefusedError)) return 'retry';
  const text = withoutTopic(error.remark, topic);
  const rule = RULES.find(({ code, remark }) => code === error.code && (remark?.test(text) ?? true));
  return rule?.is ?? 'retry';
}
