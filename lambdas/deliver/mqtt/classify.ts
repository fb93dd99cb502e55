import { NeverRetry, RetryLater, StopTask } from '../../core/errors.ts';
import { UnreachableError } from '../../net/dial.ts';
import { ConnectionClosedError, ConnectionRefusedError, NoAnswerError } from '../../net/mqtt/errors.ts';
import { reasonCodes, reasonText, returnCodes } from '../../net/mqtt/reason-codes.ts';
import { isTlsFailure } from '../../net/tls.ts';

/** CONNACK codes after which the same CONNECT may succeed. All others say that it never will. */
const MAY_CONNECT_LATER: ReadonlySet<number> = new Set([
  reasonCodes.unspecified,
  reasonCodes.implementationSpecific,
  reasonCodes.serverUnavailable,
  reasonCodes.serverBusy,
  reasonCodes.quotaExceeded,
  reasonCodes.useAnotherServer,
  reasonCodes.connectionRateExceeded,
]);
const THROTTLES: ReadonlySet<number> = new Set([
  reasonCodes.serverBusy,
  reasonCodes.quotaExceeded,
  reasonCodes.connectionRateExceeded,
]);

export type Verdict = RetryLater | NeverRetry | StopTask;

/** Why there is no connection: the class of the failure, then the reason. */
export function connectVerdict(error: unknown, server: string): Verdict {
  if (error instanceof RetryLater || error instanceof StopTask) return error;
  const { message } = error as Error;
  if (error instanceof ConnectionRefusedError) {
    const reason = `${server}: ${message}`;
    if (!mayConnectLater(error)) return new StopTask(reason, { cause: error });
    const isThrottle = error.protocolVersion === 5 && THROTTLES.has(error.code);
    return new RetryLater(reason, { cause: error, kind: isThrottle ? 'throttled' : 'unavailable' });
  }
  if (error instanceof UnreachableError) {
    const reason = `${server}: ${failureClass(error)}: ${message}`;
    // A wrong certificate or host name is the same for every message.
    if (isTlsFailure(error)) return new StopTask(reason, { cause: error });
    return new RetryLater(reason, { cause: error });
  }
  throw error;
}

function mayConnectLater({ code, protocolVersion }: ConnectionRefusedError): boolean {
  return protocolVersion === 5 ? MAY_CONNECT_LATER.has(code) : code === returnCodes.serverUnavailable;
}

function failureClass(error: UnreachableError): 'DNS' | 'TLS' | 'time-out' | 'MQTT' | 'TCP' {
  if (isTlsFailure(error)) return 'TLS';
  const { code, syscall } = (error.cause ?? {}) as NodeJS.ErrnoException;
  if (syscall === 'getaddrinfo') return 'DNS';
  if (error.cause instanceof NoAnswerError || error.cause instanceof ConnectionClosedError) return 'MQTT';
  return code === 'ETIMEDOUT' || error.cause === undefined ? 'time-out' : 'TCP';
}

export interface PublishContext {
  readonly topic: string;
  /** Whether the message named the topic; then a refusal is this message's fault and not the task's. */
  readonly isTopicRendered: boolean;
}

/** What a failure code of PUBACK or PUBREC means for the message. */
export function acknowledgementVerdict(code: number, { topic, isTopicRendered }: PublishContext): Verdict {
  const reason = `publish to ${topic}: ${reasonText(code)}`;
  switch (code) {
    case reasonCodes.notAuthorized:
    case reasonCodes.topicNameInvalid:
      return isTopicRendered ? new NeverRetry('INVALID_TARGET', reason) : new StopTask(reason);
    case reasonCodes.payloadFormatInvalid:
      return new NeverRetry('REJECTED', reason);
    case reasonCodes.packetTooLarge:
      return new NeverRetry('MESSAGE_TOO_LARGE', reason);
    case reasonCodes.quotaExceeded:
      return new RetryLater(reason, { kind: 'throttled' });
    default:
      return new RetryLater(reason);
  }
}

/** What it means that the broker has closed the connection for this message alone, and more than once. */
export function refusedAloneVerdict(error: ConnectionClosedError, { topic, isTopicRendered }: PublishContext): Verdict {
  const reason = `publish to ${topic}: the broker closes the connection when it receives this message: ${error.message}`;
  if (error.code === reasonCodes.packetTooLarge) return new NeverRetry('MESSAGE_TOO_LARGE', reason, { cause: error });
  if (isTopicRendered || error.code === reasonCodes.payloadFormatInvalid)
    return new NeverRetry('REJECTED', reason, { cause: error });
  return new StopTask(reason, { cause: error });
}

/** Classifies what publishing threw. @throws any other error. */
export function publishVerdict(error: unknown, context: PublishContext, server: string): Verdict {
  if (error instanceof NeverRetry) return error;
  if (error instanceof ConnectionClosedError)
    return new RetryLater(`publish to ${context.topic}: ${error.message}`, { cause: error });
  if (error instanceof NoAnswerError)
    return new RetryLater(`publish to ${context.topic}: ${error.message}`, { cause: error, kind: 'timeout' });
  return connectVerdict(error, server);
}
