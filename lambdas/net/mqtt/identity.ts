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
  /** ARN of the secret `{ "username", "password"? }`. */
  readonly credentials?: string | undefined;
  /** ARN of the secret `{ "certificate", "privateKey", "passphrase"? }`, in PEM. */
  readonly clientCertificate?: string | undefined;
}

/** Reads the secrets of a client. @throws StopTask, RetryLater, whose messages repeat nothing of the secrets. */
export async function readIdentity(
  { credentials, clientCertificate }: IdentitySecrets,
  readSecret: ReadSecret,
): Promise<Identity> {
  const [user, certificate]: Fields[] = await Promise.all([
    credentials === undefined ? {} : readFields(credentials, readSecret, ['username'], ['password']),
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
): Promise<Fields> {
  const text = await readSecret(arn);
  const fields = readJson(text);
  const isText = (name: string) => typeof fields[name] === 'string' && fields[name] !== '';
  if (!required.every(isText) || !optional.every((name) => fields[name] === undefined || isText(name)))
    throw new StopTask(
      `secret ${arn}: expected JSON such as {${required.map((name) => `"${name}":"…"`).join(',')}}, with string values`,
    );
  return Object.fromEntries([...required, ...optional].map((name) => [name, fields[name] as string | undefined]));
}

function readJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    // The error of JSON.parse quotes the secret.
    return {};
  }
}
