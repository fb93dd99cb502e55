import { type FailureKind, NeverRetry, RetryLater, StopTask } from '../../core/errors.ts';

/** Failures that have the same cause for every stream. */
const STOPS = new Set([
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'OptInRequired',
  'UnrecognizedClientException',
]);
/** Failures of one stream, or of its key: they stop the task, unless the message named the stream. */
const WRONG_TARGET = new Set([
  'AccessDeniedException',
  'KMSAccessDeniedException',
  'KMSDisabledException',
  'KMSInvalidStateException',
  'KMSNotFoundException',
  'KMSOptInRequired',
  'ResourceNotFoundException',
]);
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
 * Returns the error for a failed call. A stream that cannot be used is the message's fault if a template named it, else it
 * stops the task. Unknown errors are retried, which loses nothing.
 */
export function classifyCall(
  error: unknown,
  stream: { name: string; isRendered: boolean },
  operation = 'PutRecords',
): RetryLater | NeverRetry | StopTask {
  const { name, message, code } = error as Error & { code?: string };
  const options = { cause: error };
  // The service's text about a refused message quotes the message, so only the name of the error is repeated.
  const refusal = `${operation} to Kinesis: ${name}`;
  if (stream.isRendered && WRONG_TARGET.has(name)) return new NeverRetry('INVALID_TARGET', refusal, options);
  if (REFUSED.has(name)) return new NeverRetry('REJECTED', refusal, options);
  const reason = `${operation} to ${stream.name}: ${name}: ${message}`;
  if (WRONG_TARGET.has(name) || STOPS.has(name) || (code !== undefined && TLS.test(code)))
    return new StopTask(reason, options);
  return new RetryLater(reason, { ...options, kind: kindOf(name, code) });
}

/** Returns the error for one record of a call that succeeded: PutRecords reports only throttling and internal failures per record. */
export function classifyEntry(stream: string, code: string, message: string | undefined): RetryLater {
  return new RetryLater(`PutRecords to ${stream}: ${code}: ${message ?? 'no message'}`, { kind: kindOf(code) });
}

function kindOf(name: string, code?: string): FailureKind {
  if (THROTTLES.has(name)) return 'throttled';
  // The SDK names a reset connection TimeoutError too; its code distinguishes them.
  if (code !== undefined && CUT_OFF.has(code)) return 'unavailable';
  return TIMEOUTS.has(name) || code === 'ETIMEDOUT' ? 'timeout' : 'unavailable';
}
