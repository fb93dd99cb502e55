import { type FailureKind, NeverRetry, RetryLater, StopTask } from '../../core/errors.ts';

const STOPS = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'KMSAccessDeniedException',
  'KMSDisabledException',
  'KMSInvalidStateException',
  'KMSNotFoundException',
  'KMSOptInRequired',
  'MissingAuthenticationTokenException',
  'OptInRequired',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
]);

const TARGET_IS_WRONG = new Set(['ResourceNotFoundException', 'AccessDeniedException']);
const REFUSED = new Set(['InvalidArgumentException', 'ValidationException', 'SerializationException']);
const THROTTLES = new Set([
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'KMSThrottlingException',
  'ThrottlingException',
]);
const TIMEOUTS = new Set(['TimeoutError', 'RequestTimeout', 'AbortError']);
const CUT_OFF = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);
const TLS = /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/;

/**
 * What a failed PutRecords call means for what the caller does next. A stream named by a template that does not exist is
 * the message's own fault; a static one stops the task. What is not known is tried again: that loses nothing.
 */
export function classifyCall(
  error: unknown,
  stream: { name: string; isRendered: boolean },
  operation = 'PutRecords',
): RetryLater | NeverRetry | StopTask {
  const { name, message, code } = error as Error & { code?: string };
  const options = { cause: error };
  // What the service says of a message it refuses quotes that message; the name of its error says enough.
  const refusal = `${operation} to Kinesis: ${name}`;
  if (stream.isRendered && TARGET_IS_WRONG.has(name)) return new NeverRetry('INVALID_TARGET', refusal, options);
  if (REFUSED.has(name)) return new NeverRetry('REJECTED', refusal, options);
  const reason = `${operation} to ${stream.name}: ${name}: ${message}`;
  if (STOPS.has(name) || (code !== undefined && TLS.test(code))) return new StopTask(reason, options);
  return new RetryLater(reason, { ...options, kind: kindOf(name, code) });
}

/** A record that PutRecords answered with an error: throughput and internal failures, all of them passing. */
export function classifyEntry(stream: string, code: string, message: string | undefined): RetryLater {
  return new RetryLater(`PutRecords to ${stream}: ${code}: ${message ?? 'no message'}`, { kind: kindOf(code) });
}

function kindOf(name: string, code?: string): FailureKind {
  if (THROTTLES.has(name)) return 'throttled';
  // The SDK calls a connection that was reset a TimeoutError too; the code tells.
  if (code !== undefined && CUT_OFF.has(code)) return 'unavailable';
  return TIMEOUTS.has(name) || code === 'ETIMEDOUT' ? 'timeout' : 'unavailable';
}
