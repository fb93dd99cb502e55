import { NeverRetry, RetryLater, StopTask } from '../../../core/errors.ts';
import type { Verdict } from '../remoting/classify.ts';
import { grpcCodes, NoAnswerError, RefusedError } from './errors.ts';

export interface FailedCall {
  /** What failed, for the error's message. @default 'send to topic …' */
  readonly operation?: string;
  readonly topic: string;
  /** Whether a template named the topic: an unusable topic is then the message's fault, and otherwise stops the task. */
  readonly isTopicRendered: boolean;
  /** Whether the message decides its type, by its group or time: a type that the topic refuses is then the message's fault, too. @default false */
  readonly isTypeRendered?: boolean;
  /** Whether the topic was delivered to a moment ago: a proxy that has just started knows no topic until its brokers have registered. @default false */
  readonly isTopicKnown?: boolean;
}

type Class = 'retry' | 'throttled' | 'timeout' | 'stop' | 'credentials' | 'target' | 'type' | 'rejected' | 'too large';

/** Status codes of gRPC. A code that is not listed is retried, which loses nothing. */
const BY_GRPC_CODE: Readonly<Record<number, Class>> = {
  [grpcCodes.deadlineExceeded]: 'timeout',
  [grpcCodes.permissionDenied]: 'target',
  [grpcCodes.resourceExhausted]: 'throttled',
  [grpcCodes.unimplemented]: 'stop',
  [grpcCodes.unauthenticated]: 'credentials',
};

/** Codes of a proxy (enum Code of apache.rocketmq.v2), or their first three digits. A code that is not listed is retried. */
const BY_CODE: Readonly<Record<number, Class>> = {
  400: 'rejected',
  // The access point, the client's type and its id: the same for every message.
  40001: 'stop',
  40002: 'target',
  40014: 'type',
  40015: 'retry',
  40017: 'stop',
  401: 'credentials',
  402: 'stop',
  403: 'target',
  404: 'target',
  408: 'timeout',
  413: 'too large',
  41302: 'rejected',
  429: 'throttled',
  431: 'too large',
  501: 'type',
  504: 'timeout',
  505: 'type',
};

/** gRPC reports a TLS failure by its text alone, without OpenSSL's code. */
const TLS = /certificate|altnames|\bSSL\b|\bTLS\b|EPROTO|wrong version number/i;

const MAX_CHARACTERS = 300;

/** Codes with several meanings, as 5.5.0 uses them. */
const BY_TEXT: readonly (readonly [code: number, text: RegExp, is: Class])[] = [
  // A known user without permission has the code of an unknown user.
  [40_100, /has no permission/i, 'target'],
  // A broker takes smaller messages than its proxy.
  [50_001, /message is illegal.*length/i, 'too large'],
];

/** Whether the proxy refused the credentials: after a rotation, the new ones may be accepted. */
export function isCredentialsRefusal(error: unknown): boolean {
  return classOf(error) === 'credentials';
}

/** Whether the two sides disagree on TLS: the certificate, its authority, its name, or that there is TLS at all. */
export function isTlsFailure(error: unknown): boolean {
  return error instanceof NoAnswerError && TLS.test(error.reason);
}

/** Whether the topic's route may be out of date. */
export function isRouteAtFault(error: unknown): boolean {
  return classOf(error) === 'target';
}

/** Decides what the caller does after a failed call. The message holds the server's code, and `cause` the error. */
export function classify(
  error: unknown,
  {
    topic,
    isTopicRendered,
    isTypeRendered = false,
    isTopicKnown = false,
    operation = `send to topic ${topic}`,
  }: FailedCall,
): Verdict {
  if (error instanceof RetryLater || error instanceof NeverRetry || error instanceof StopTask) return error;
  const reason = `${operation}: ${oneLine((error as Error).message)}`;
  const options = { cause: error };
  const isMissing = Math.floor(codeOf(error) / 100) === 404;
  const kind = isMissing && isTopicKnown ? 'retry' : classOf(error);
  switch (kind) {
    case 'credentials':
    case 'stop':
      return new StopTask(reason, options);
    case 'target':
      return isTopicRendered ? new NeverRetry('INVALID_TARGET', reason, options) : new StopTask(reason, options);
    case 'type':
      return isTopicRendered || isTypeRendered
        ? new NeverRetry('INVALID_TARGET', reason, options)
        : new StopTask(reason, options);
    case 'rejected':
      return new NeverRetry('REJECTED', reason, options);
    case 'too large':
      return new NeverRetry('MESSAGE_TOO_LARGE', reason, options);
    case 'throttled':
      return new RetryLater(reason, { ...options, kind: 'throttled' });
    case 'timeout':
    case 'retry':
      return new RetryLater(`${reason}${isMaybeStored(error) ? ' (it may be stored)' : ''}`, {
        ...options,
        kind: kind === 'timeout' ? 'timeout' : 'unavailable',
      });
  }
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS)}…` : line;
}

/** A lost connection, or a broker that timed out, leaves open whether the message is stored. */
function isMaybeStored(error: unknown): boolean {
  return error instanceof NoAnswerError ? error.call === 'sendMessage' && !error.isUnsent : codeOf(error) >= 50_000;
}

function classOf(error: unknown): Class {
  if (isTlsFailure(error)) return 'stop';
  if (error instanceof NoAnswerError) return BY_GRPC_CODE[error.code] ?? 'retry';
  if (!(error instanceof RefusedError)) return 'retry';
  const { code, remark } = error;
  const byText = BY_TEXT.find(([of, text]) => of === code && text.test(remark))?.[2];
  return byText ?? BY_CODE[code] ?? BY_CODE[Math.floor(code / 100)] ?? 'retry';
}

function codeOf(error: unknown): number {
  return error instanceof RefusedError ? error.code : 0;
}
