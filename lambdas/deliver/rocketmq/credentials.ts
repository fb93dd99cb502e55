import { StopTask } from '../../core/errors.ts';
import type { CredentialsSource as Source } from '../../net/credentials.ts';

/** The user of a broker with access control: ACL 1.0 of RocketMQ 4 and ACL 2.0 of RocketMQ 5. */
export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Of temporary credentials. */
  readonly securityToken?: string;
}

export type CredentialsSource = Source<Credentials>;

/**
 * Reads credentials from the text of a secret.
 *
 * @param text JSON: `{ "accessKey", "secretKey", "securityToken"? }`.
 * @throws StopTask, whose message repeats nothing of the secret.
 */
export function parseCredentials(text: string, arn: string): Credentials {
  const { accessKey, secretKey, securityToken } = readJson(text);
  if (!isText(accessKey) || !isText(secretKey) || !(securityToken === undefined || isText(securityToken)))
    throw new StopTask(`secret ${arn}: expected JSON such as {"accessKey":"…","secretKey":"…"}, with string values`);
  return { accessKey, secretKey, ...(securityToken !== undefined && { securityToken }) };
}

function readJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    // The error of JSON.parse quotes the secret.
    return {};
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
