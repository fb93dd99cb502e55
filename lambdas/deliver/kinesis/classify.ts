import { NeverRetry, RetryLater, StopTask } from '../../core/errors.ts';
import { awsFailureKind, isCallerFailure } from '../../net/aws-failure.ts';

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

/**
 * Returns the error for a failed call. A stream that cannot be used is the message's fault if a template named it, else it
 * stops the task. Unknown errors are retried, which loses nothing.
 */
export function classifyCall(
  error: unknown,
  stream: { name: string; isRendered: boolean },
  operation = 'PutRecords',
): RetryLater | NeverRetry | StopTask {
  const { name, message } = error as Error;
  const options = { cause: error };
  // The service's text about a refused message quotes the message, so only the name of the error is repeated.
  const refusal = `${operation} to Kinesis: ${name}`;
  if (stream.isRendered && WRONG_TARGET.has(name)) return new NeverRetry('INVALID_TARGET', refusal, options);
  if (REFUSED.has(name)) return new NeverRetry('REJECTED', refusal, options);
  const reason = `${operation} to ${stream.name}: ${name}: ${message}`;
  if (WRONG_TARGET.has(name) || isCallerFailure(error)) return new StopTask(reason, options);
  return new RetryLater(reason, { ...options, kind: awsFailureKind(error) });
}

/** Returns the error for one record of a call that succeeded: PutRecords reports only throttling and internal failures per record. */
export function classifyEntry(stream: string, code: string, message: string | undefined): RetryLater {
  return new RetryLater(`PutRecords to ${stream}: ${code}: ${message ?? 'no message'}`, {
    kind: awsFailureKind({ name: code }),
  });
}
