import { StopTask } from '../../core/errors.ts';
import type { ReadSecret } from '../secrets.ts';

/** What a client shows a broker: user name and password, and a certificate. */
export interface Identity {
  readonly username?: string;
  readonly password?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
}

export interface IdentitySecrets {
  /**
   * ARN of the secret `{ "username", "password"? }`. For static client ids, it may have `{ "clients": { "<client id>": { "username",
   * "password"? } } }` in addition, or instead.
   */
  readonly credentials?: string | undefined;
  /** ARN of the secret `{ "certificate", "privateKey", "passphrase"? }`, in PEM. */
  readonly clientCertificate?: string | undefined;
}

/**
 * Reads the secrets of a client.
 *
 * @param clientId A static client id, which may have a user name and a password to itself.
 * @throws StopTask, RetryLater, whose messages repeat nothing of the secrets.
 */
export async function readIdentity(
  { credentials, clientCertificate }: IdentitySecrets,
  readSecret: ReadSecret,
  clientId?: string,
): Promise<Identity> {
  const [user, certificate]: Fields[] = await Promise.all([
    credentials === undefined ? {} : readFields(credentials, readSecret, ['username'], ['password'], clientId),
    clientCertificate === undefined
      ? {}
      : readFields(clientCertificate, readSecret, ['certificate', 'privateKey'], ['passphrase']),
  ]);
  return {
    ...present({ username: user?.['username'], password: user?.['password'] }),
    ...present({
      cert: certificate?.['certificate'],
      key: certificate?.['privateKey'],
      passphrase: certificate?.['passphrase'],
    }),
  };
}

type Fields = Readonly<Record<string, string | undefined>>;

function present<Name extends string>(
  fields: Readonly<Record<Name, string | undefined>>,
): Partial<Record<Name, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<
    Record<Name, string>
  >;
}

async function readFields(
  arn: string,
  readSecret: ReadSecret,
  required: readonly string[],
  optional: readonly string[] = [],
  clientId?: string,
): Promise<Fields> {
  const fields = fieldsOf(readJson(await readSecret(arn)), clientId);
  const isText = (name: string) => typeof fields[name] === 'string' && fields[name] !== '';
  if (!required.every(isText) || !optional.every((name) => fields[name] === undefined || isText(name)))
    throw new StopTask(
      `secret ${arn}: expected JSON such as {${required.map((name) => `"${name}":"…"`).join(',')}}, with string values`,
    );
  return Object.fromEntries([...required, ...optional].map((name) => [name, fields[name] as string | undefined]));
}

function fieldsOf(
  secret: Readonly<Record<string, unknown>>,
  clientId: string | undefined,
): Readonly<Record<string, unknown>> {
  const { clients } = secret;
  if (clientId === undefined || typeof clients !== 'object' || clients === null) return secret;
  const own = Object.hasOwn(clients, clientId) ? clients[clientId as never] : undefined;
  return own ?? secret;
}

function readJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    // The error of JSON.parse quotes the secret.
    return {};
  }
}
