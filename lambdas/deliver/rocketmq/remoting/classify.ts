import { type FailureKind, NeverRetry, RetryLater, StopTask } from '../../../core/errors.ts';
import { isTlsFailure } from '../../net/tls.ts';
import { resultCodes } from './command.ts';
import { MissingTopicError, NoAnswerError, RefusedError } from './errors.ts';

export type Verdict = RetryLater | NeverRetry | StopTask;

export interface FailedSend {
  /** What failed, for the error's message. @default 'send to topic …' */
  readonly operation?: string;
  readonly topic: string;
  /** A topic that a template named is the message's own fault; a static one stops the task. */
  readonly isTopicRendered: boolean;
  /** Whether any attempt may have been stored, for want of an answer. */
  readonly isMaybeStored: boolean;
}

type Class = 'retry' | 'stop' | 'target' | 'rejected' | 'too large';

interface Rule {
  readonly code: number;
  readonly remark?: RegExp;
  readonly is: Class;
}

const { systemError, messageIllegal, noPermission, invalidParameter } = resultCodes;

/** Users and access keys may be named after anything, so that these are looked for before words that a name may hold. */
const NOT_KNOWN_BY_4 = /AclException: (check signature failed|no acl config) for/i;
const NOT_KNOWN_BY_5 = /^\s*User:.* is not found/is;

/**
 * What a broker's answer means: the first rule that fits. 4.9 says almost everything by code 1 and a remark; what is not
 * known is tried again, which loses nothing. Observed on 4.9.4 and 5.5.0.
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
  // A broker that was taken out of service.
  { code: noPermission, remark: /the broker\b.*forbidden/is, is: 'retry' },
  { code: noPermission, remark: NOT_KNOWN_BY_5, is: 'stop' },
  { code: noPermission, remark: /topic/i, is: 'target' },
  { code: noPermission, is: 'stop' },
  { code: resultCodes.topicNotExist, is: 'target' },
  // The topic has fewer queues than its route said.
  { code: invalidParameter, remark: /queueId/i, is: 'retry' },
  { code: invalidParameter, remark: /topic/i, is: 'target' },
  { code: invalidParameter, is: 'rejected' },
];

const BUSY: ReadonlySet<number> = new Set([resultCodes.systemBusy, resultCodes.flowControl]);
const CREDENTIALS =
  /AclException(?!.*(permission for (topic|group)|deny))|no acl config for|signature|is not found|cannot be null/is;

/** Whether a server does not accept who we say we are: after a rotation, new credentials may help. */
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

/** Whether the same request may be taken by another queue, or a moment later. */
export function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof NeverRetry || error instanceof StopTask) return false;
  // A broker that has lost a topic: its name servers know where it went.
  if (error instanceof RefusedError && error.code === resultCodes.topicNotExist) return true;
  return classOf(error) === 'retry';
}

/** What a failed send means for what the caller does next. The codes of servers are in the message, and in the cause. */
export function classify(
  error: unknown,
  { topic, isTopicRendered, isMaybeStored, operation = `send to topic ${topic}` }: FailedSend,
): Verdict {
  if (error instanceof NeverRetry || error instanceof StopTask) return error;
  const reason = `${operation}: ${(error as Error).message}${isMaybeStored ? ' (it may be stored)' : ''}`;
  const options = { cause: error };
  switch (classOf(error)) {
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

function classOf(error: unknown): Class {
  if (error instanceof MissingTopicError) return 'target';
  if (isTlsFailure(error)) return 'stop';
  if (!(error instanceof RefusedError)) return 'retry';
  const rule = RULES.find(({ code, remark }) => code === error.code && (remark?.test(error.remark) ?? true));
  return rule?.is ?? 'retry';
}
