import { RetryLater, StopTask } from '../../core/errors.ts';
import type { SinkEnvironment } from '../sink.ts';
import type { Credentials } from './remoting/credentials.ts';

const CONNECTION_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 2_000;
const STOPS = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'DecryptionFailure',
  'ExpiredTokenException',
  'InvalidParameterException',
  // A secret that is marked for deletion.
  'InvalidRequestException',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
]);

/** Reads secrets, each time anew. @throws StopTask, RetryLater */
export type ReadSecret = (arn: string) => Promise<string>;

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

/** @param text JSON as `{ "accessKey", "secretKey", "securityToken"? }`. @throws StopTask, which says nothing of what is in it. */
export function parseCredentials(text: string, arn: string): Credentials {
  const found = readJson(text);
  const { accessKey, secretKey, securityToken } = found;
  if (!isText(accessKey) || !isText(secretKey) || !(securityToken === undefined || isText(securityToken)))
    throw new StopTask(`secret ${arn}: expected JSON such as {"accessKey":"…","secretKey":"…"}, all of them texts`);
  return { accessKey, secretKey, ...(securityToken !== undefined && { securityToken }) };
}

/** AWS Secrets Manager. The client is loaded when it is first needed. */
function secretsManager(): (arn: string) => Promise<string> {
  let loaded: ReturnType<typeof load> | undefined;
  return async (SecretId) => {
    loaded ??= load();
    const { client, GetSecretValueCommand } = await loaded;
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }), {
      abortSignal: AbortSignal.timeout(2 * REQUEST_TIMEOUT_MS),
    });
    if (SecretString === undefined) throw new StopTask('it is binary; expected text');
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

function readJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {}; // what JSON.parse says quotes the text
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
