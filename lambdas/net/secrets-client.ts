import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const CONNECTION_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 2_000;

// A module of its own, so that a bundle holds only the command that is imported here.
const client = new SecretsManagerClient({
  maxAttempts: 2,
  requestHandler: {
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    throwOnRequestTimeout: true,
  },
});

/** Reads the text of a secret in AWS Secrets Manager; undefined when the secret is binary. */
export async function readSecretText(SecretId: string): Promise<string | undefined> {
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }), {
    abortSignal: AbortSignal.timeout(2 * REQUEST_TIMEOUT_MS),
  });
  return SecretString;
}
