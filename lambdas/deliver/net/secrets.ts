import { RetryLater, StopTask } from '../../core/errors.ts';
import type { SinkEnvironment } from '../sink.ts';

const CONNECTION_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 2_000;
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

/** Reads from AWS Secrets Manager, or from the environment's `secret`. */
export function secretReader({ secret = secretsManager() }: Pick<SinkEnvironment, 'secret'>): ReadSecret {
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
  let loaded: ReturnType<typeof load> | undefined;
  return async (SecretId) => {
    loaded ??= load();
    const { client, GetSecretValueCommand } = await loaded;
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }), {
      abortSignal: AbortSignal.timeout(2 * REQUEST_TIMEOUT_MS),
    });
    if (SecretString === undefined) throw new StopTask('the secret is binary; expected text');
    return SecretString;
  };
}

async function load() {
  const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  const requestHandler = {
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    throwOnRequestTimeout: true,
  };
  return { client: new SecretsManagerClient({ maxAttempts: 2, requestHandler }), GetSecretValueCommand };
}
