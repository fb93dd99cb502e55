import { NeverRetry, RetryLater, StopTask } from '../../core/errors.ts';
import { UnreachableError } from '../../net/dial.ts';
import { ConnectionClosedError, ConnectionRefusedError, NoAnswerError } from '../../net/mqtt/errors.ts';
import { reasonCodes, reasonText, returnCodes } from '../../net/mqtt/reason-codes.ts';
import { isTlsFailure } from '../../net/tls.ts';

/** CONNACK codes after which the same CONNECT cannot succeed. All others may pass, those included that no standard knows yet. */
const REFUSES_FOR_GOOD: ReadonlySet<number> = new Set([
  reasonCodes.malformedPacket,
  reasonCodes.protocolError,
  reasonCodes.unsupportedVersion,
  reasonCodes.clientIdInvalid,
  reasonCodes.badUserNameOrPassword,
  reasonCodes.notAuthorized,
  reasonCodes.banned,
  reasonCodes.badAuthenticationMethod,
  reasonCodes.packetTooLarge,
  reasonCodes.serverMoved,
]);
const REFUSES_FOR_GOOD_V3: ReadonlySet<number> = new Set([
  returnCodes.unacceptableVersion,
  returnCodes.identifierRejected,
  returnCodes.badUserNameOrPassword,
  returnCodes.notAuthorized,
]);
const THROTTLES: ReadonlySet<number> = new Set([
  reasonCodes.serverBusy,
  reasonCodes.messageRateTooHigh,
  reasonCodes.quotaExceeded,
  reasonCodes.connectionRateExceeded,
]);
/** DISCONNECT codes with which a broker may answer a message. The others are about the server or the connection. */
const MAY_BE_FOR_A_MESSAGE: ReadonlySet<number> = new Set([
  reasonCodes.unspecified,
  reasonCodes.malformedPacket,
  reasonCodes.protocolError,
  reasonCodes.implementationSpecific,
  reasonCodes.notAuthorized,
  reasonCodes.topicNameInvalid,
  reasonCodes.packetTooLarge,
  reasonCodes.payloadFormatInvalid,
  reasonCodes.retainNotSupported,
  reasonCodes.qosNotSupported,
]);

export type Verdict = RetryLater | NeverRetry | StopTask;

/** Why there is no connection: the class of the failure, then the reason. */
export function connectVerdict(error: unknown, server: string): Verdict {
  if (error instanceof RetryLater || error instanceof StopTask) return error;
  const { message } = error as Error;
  if (error instanceof ConnectionRefusedError) {
    const reason = `${server}: ${message}`;
    if (isForGood(error)) return new StopTask(reason, { cause: error });
    const isThrottle = error.protocolVersion === 5 && THROTTLES.has(error.code);
    return new RetryLater(reason, { cause: error, kind: isThrottle ? 'throttled' : 'unavailable' });
  }
  if (error instanceof UnreachableError) {
    const reason = `${server}: ${failureClass(error)}: ${message}`;
    // A wrong certificate or host name is the same for every message.
    if (isTlsFailure(error)) return new StopTask(reason, { cause: error });
    return new RetryLater(reason, { cause: error });
  }
  if (error instanceof ConnectionClosedError || error instanceof NoAnswerError)
    return new RetryLater(`${server}: MQTT: ${message}`, { cause: error });
  throw error;
}

function isForGood({ code, protocolVersion }: ConnectionRefusedError): boolean {
  return (protocolVersion === 5 ? REFUSES_FOR_GOOD : REFUSES_FOR_GOOD_V3).has(code);
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

/**
 * Whether the broker may have closed the connection because of a message: with a code that fits, or without a word, as MQTT 3.1.1 has
 * it. A broker that stops closes the connection, too, so that the message has to be published again to be sure.
 */
export function mayBeForAMessage({ isByClient, code }: ConnectionClosedError): boolean {
  return !isByClient && (code === undefined || MAY_BE_FOR_A_MESSAGE.has(code));
}

/** What it means that the broker closes the connection whenever it receives this message alone. */
export function refusedAloneVerdict(error: ConnectionClosedError, { topic, isTopicRendered }: PublishContext): Verdict {
  const reason = `publish to ${topic}: the broker closes the connection when it receives this message: ${error.message}`;
  const options = { cause: error };
  switch (error.code) {
    case reasonCodes.packetTooLarge:
      return new NeverRetry('MESSAGE_TOO_LARGE', reason, options);
    case reasonCodes.payloadFormatInvalid:
      return new NeverRetry('REJECTED', reason, options);
    case reasonCodes.notAuthorized:
    case reasonCodes.topicNameInvalid:
      return isTopicRendered ? new NeverRetry('INVALID_TARGET', reason, options) : new StopTask(reason, options);
    default:
      return isTopicRendered ? new NeverRetry('REJECTED', reason, options) : new StopTask(reason, options);
  }
}

/** Classifies what publishing threw. @throws any other error. */
export function publishVerdict(error: unknown, context: PublishContext, server: string): Verdict {
  if (error instanceof NeverRetry) return error;
  if (error instanceof ConnectionClosedError) {
    const kind = error.code !== undefined && THROTTLES.has(error.code) ? 'throttled' : 'unavailable';
    return new RetryLater(`publish to ${context.topic}: ${error.message}`, { cause: error, kind });
  }
  if (error instanceof NoAnswerError)
    return new RetryLater(`publish to ${context.topic}: ${error.message}`, { cause: error, kind: 'timeout' });
  return connectVerdict(error, server);
}
