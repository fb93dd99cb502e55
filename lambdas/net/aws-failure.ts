import type { FailureKind } from '../core/errors.ts';

/** Errors of any AWS service about the caller. */
const CREDENTIALS = new Set([
  'CredentialsProviderError',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'OptInRequired',
  'UnrecognizedClientException',
]);
const TLS = /^(ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY))/;
const THROTTLES = /Throttl|^ProvisionedThroughputExceeded|^LimitExceeded|^TooManyRequests/;
const TIMEOUTS = new Set(['TimeoutError', 'RequestTimeout', 'AbortError', 'GatewayTimeoutException']);
const CUT_OFF = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Whether a call of the AWS SDK failed for its credentials or for TLS, which fail every call alike. */
export function isCallerFailure(error: unknown): boolean {
  const { name, code } = error as Error & { code?: string };
  return CREDENTIALS.has(name) || (code !== undefined && TLS.test(code));
}

/** The kind of a passing failure of a call of the AWS SDK. */
export function awsFailureKind(error: unknown): FailureKind {
  const { name, code } = error as Error & { code?: string };
  if (THROTTLES.test(name)) return 'throttled';
  // The SDK names a reset connection TimeoutError too; its code distinguishes them.
  if (code !== undefined && CUT_OFF.has(code)) return 'unavailable';
  return TIMEOUTS.has(name) || code === 'ETIMEDOUT' ? 'timeout' : 'unavailable';
}
