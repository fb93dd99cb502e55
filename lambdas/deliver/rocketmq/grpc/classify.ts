import { type FailureKind, NeverRetry, RetryLater, StopTask } from '../../../core/errors.ts';
import type { Verdict } from '../remoting/classify.ts';
import { grpcCodes, NoAnswerError } from './errors.ts';

export interface FailedCall {
  /** What failed, for the error's message. @default 'send to topic …' */
  readonly operation?: string;
  readonly topic: string;
  /** A topic that a template named is the message's own fault; a static one stops the task. */
  readonly isTopicRendered: boolean;
  /** Whether messages decide of which type they are: a type that the topic does not take is then the message's own fault, too. */
  readonly isTypeRendered?: boolean;
  /** Whether it was delivered to a moment ago: a proxy that has just started knows no topic before its brokers have registered. */
  readonly isTopicKnown?: boolean;
}

type Class = 'retry' | 'throttled' | 'timeout' | 'stop' | 'credentials' | 'target' | 'type' | 'rejected' | 'too large';

/** What codes of gRPC mean: the call had no answer of a proxy. What is not here is tried again, which loses nothing. */
const BY_GRPC_CODE: Readonly<Record<number, Class>> = {
  [grpcCodes.deadlineExceeded]: 'timeout',
  [grpcCodes.permissionDenied]: 'target',
  [grpcCodes.resourceExhausted]: 'throttled',
  [grpcCodes.unimplemented]: 'stop',
  [grpcCodes.unauthenticated]: 'credentials',
};

/** What a proxy's answers mean (enum Code of apache.rocketmq.v2): its number, or the hundreds that it is in. */
const BY_CODE: Readonly<Record<number, Class>> = {
  400: 'rejected',
  // An access point that is none, and what a client is, or has to have.
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
  501: 'stop',
  504: 'timeout',
  505: 'stop',
};

/** By the text alone: the client keeps no code of OpenSSL's. */
const TLS = /certificate|altnames|\bSSL\b|\bTLS\b|EPROTO|wrong version number/i;

const MAX_CHARACTERS = 300;

/** Codes that mean several things, as 5.5.0 has them; 0 is the client itself, before it has sent anything. */
const BY_TEXT: readonly (readonly [code: number, text: RegExp, is: Class])[] = [
  [0, /body size exceeds/i, 'too large'],
  // A user who may not, with the code of users that are not known.
  [40_100, /has no permission/i, 'target'],
  // A broker that takes less than its proxy.
  [50_001, /message is illegal.*length/i, 'too large'],
];

/** Whether the proxy does not accept who we say we are: after a rotation, new credentials may help. */
export function isCredentialsRefusal(error: unknown): boolean {
  return classOf(error) === 'credentials';
}

/** Whether the two sides do not agree on TLS: the certificate, its authority, its name, or that there is TLS at all. */
export function isTlsFailure(error: unknown): boolean {
  return error instanceof NoAnswerError && TLS.test(error.reason);
}

/** Whether there was no answer at all: a client of which several calls in a row end so has to be replaced. */
export function isConnectionFailure(error: unknown): boolean {
  return error instanceof NoAnswerError;
}

/** Whether it was said by a route that may be old: a client keeps the first that it was given. */
export function isRouteAtFault(error: unknown): boolean {
  const kind = classOf(error);
  return kind === 'target' || !('code' in (error as object));
}

/** What a failed call means for what the caller does next. The codes of servers are in the message, and in the cause. */
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
  const reason = `${operation}: ${reasonOf(error as Error)}`;
  const options = { cause: error };
  const kind = isTopicKnown && isMissing(error) ? 'retry' : classOf(error);
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
        kind: kindOf(kind),
      });
  }
}

/** In one line. */
function reasonOf({ message }: Error): string {
  const text = message.replace(/\s+/g, ' ').replace(/\[request-id=\w*, response-code=(\d+)\] /, 'code $1: ');
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
}

function kindOf(kind: 'timeout' | 'retry'): FailureKind {
  return kind === 'timeout' ? 'timeout' : 'unavailable';
}

/** All but what was never sent: a connection that broke, or a broker that could not wait, says nothing about the message. */
function isMaybeStored(error: unknown): boolean {
  return error instanceof NoAnswerError ? error.call === 'sendMessage' && !error.isUnsent : codeOf(error) >= 50_000;
}

function isMissing(error: unknown): boolean {
  return Math.floor(codeOf(error) / 100) === 404;
}

function classOf(error: unknown): Class {
  if (isTlsFailure(error)) return 'stop';
  if (error instanceof NoAnswerError) return BY_GRPC_CODE[error.code] ?? 'retry';
  const code = codeOf(error);
  const byText = BY_TEXT.find(([of, text]) => of === code && text.test((error as Error).message))?.[2];
  return byText ?? BY_CODE[code] ?? BY_CODE[Math.floor(code / 100)] ?? 'retry';
}

/** Five digits, as proxies have them; 0 for anything else. */
function codeOf(error: unknown): number {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' && code >= 10_000 ? code : 0;
}
