import { NeverRetry, RetryLater, StopTask } from '../../core/errors.ts';
import { awsFailureKind, isCallerFailure } from '../../net/aws-failure.ts';

/** The worker may not use the topic. */
const DENIED = new Set(['AccessDeniedException', 'ForbiddenException', 'UnauthorizedException']);
const REFUSED = new Set([
  'InvalidRequestException',
  'MethodNotAllowedException',
  'UnsupportedDocumentEncodingException',
]);
/** How AWS begins the text of a ForbiddenException about the credentials; a topic that it may repeat is never at the beginning. */
const ABOUT_CREDENTIALS = /^(The security token|The request signature|Signature |Missing Authentication Token)/;

/**
 * Returns the error for a failed call. A topic that the worker may not use is the message's fault if a template named it, else
 * it stops the task. Unknown errors are retried, which loses nothing.
 */
export function classifyCall(
  error: unknown,
  topic: { name: string; isRendered: boolean },
  operation = 'Publish',
): RetryLater | NeverRetry | StopTask {
  const { name, message } = error as Error;
  const options = { cause: error };
  // The service's text about a refused message may quote the message, so only the name of the error is repeated.
  const refusal = `${operation} to AWS IoT Core: ${name}`;
  if (name === 'RequestEntityTooLargeException') return new NeverRetry('MESSAGE_TOO_LARGE', refusal, options);
  if (REFUSED.has(name)) return new NeverRetry('REJECTED', refusal, options);
  const isOfCaller = isCallerFailure(error) || (DENIED.has(name) && ABOUT_CREDENTIALS.test(message));
  if (topic.isRendered && DENIED.has(name) && !isOfCaller) return new NeverRetry('INVALID_TARGET', refusal, options);
  const reason = `${operation} to ${topic.isRendered ? 'AWS IoT Core' : topic.name}: ${name}: ${message}`;
  if (isOfCaller || DENIED.has(name)) return new StopTask(reason, options);
  return new RetryLater(reason, { ...options, kind: awsFailureKind(error) });
}
