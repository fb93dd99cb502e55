import { RetryLater, StopTask } from '../core/errors.ts';

const STOPS = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'DecryptionFailure',
  'ExpiredTokenException',
  'InvalidParameterException',
  // The secret is scheduled for deletion.
  'InvalidRequestException',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
]);

/** Reads the text of a secret, without a cache. @throws StopTask, RetryLater */
export type ReadSecret = (arn: string) => Promise<string>;

/** @param options.secret Reads the text of a secret. By default from AWS Secrets Manager. */
export function secretReader({ secret = secretsManager() }: { readonly secret?: ReadSecret }): ReadSecret {
  return async (arn) => {
    try {
      return await secret(arn);
    } catch (cause) {
      const { name, message } = cause as Error;
      const reason = `read secret ${arn}: ${name}: ${message}`;
      if (cause instanceof StopTask || STOPS.has(name)) throw new StopTask(reason, { cause });
      throw new RetryLater(reason, { cause });
    }
  };
}

/** Loads the client with the first secret, so that tasks without one do not carry it in their cold start. */
function secretsManager(): (arn: string) => Promise<string> {
  return async (arn) => {
    const { readSecretText } = await import('./secrets-client.ts');
    const text = await readSecretText(arn);
    if (text === undefined) throw new StopTask('the secret is binary; expected text');
    return text;
  };
}
