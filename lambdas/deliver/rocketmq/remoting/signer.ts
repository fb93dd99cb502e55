import { createHmac } from 'node:crypto';
import type { Clock } from '../../../net/clock.ts';
import { credentialsCache } from '../../../net/credentials.ts';
import type { Credentials, CredentialsSource } from '../credentials.ts';
import type { Request } from './command.ts';

export interface Signer {
  /** Signs with the current credentials; without a source of credentials, returns the request unchanged. */
  sign(request: Request): Promise<Request>;
  /** Reads the credentials again after a server refused a signed request. @returns whether they differ from those it was signed with. */
  renew(refused: Request): Promise<boolean>;
}

export function openSigner(source: CredentialsSource | undefined, clock: Clock): Signer {
  const cache = source && credentialsCache(source, clock);
  return {
    async sign(request) {
      return cache === undefined ? request : signWith(await cache.current(), request);
    },
    async renew(refused) {
      const isRefused = (credentials: Credentials) =>
        signWith(credentials, refused).fields['Signature'] === refused.fields['Signature'];
      return cache === undefined ? false : cache.renew(isRefused);
    },
  };
}

/** Signs a request: HMAC-SHA1 over the values of all fields, sorted by name, then the body (class AclUtils of RocketMQ). */
export function signWith({ accessKey, secretKey, securityToken }: Credentials, request: Request): Request {
  const { Signature: _, SecurityToken: __, ...unsigned } = request.fields;
  const fields: Record<string, string> = {
    ...unsigned,
    AccessKey: accessKey,
    ...(securityToken !== undefined && { SecurityToken: securityToken }),
  };
  const hmac = createHmac('sha1', secretKey);
  for (const name of Object.keys(fields).sort()) hmac.update(fields[name]!, 'utf8');
  if (request.body !== undefined) hmac.update(request.body);
  return { ...request, fields: { ...fields, Signature: hmac.digest('base64') } };
}
