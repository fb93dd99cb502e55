import { createHmac } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { Request } from './command.ts';

/** What a broker with access control knows a client by; ACL 1.0 of 4.x and ACL 2.0 of 5.x alike. */
export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly securityToken?: string;
}

/** Where credentials come from. `refresh` says that those given before were refused: they may have been rotated. */
export type CredentialsSource = (options: { readonly refresh: boolean }) => Credentials | Promise<Credentials>;

export interface Signer {
  /** Signs with the credentials of now; the same request when there are none. */
  sign(request: Request): Promise<Request>;
  /** Fetches credentials anew after a server has refused a signed request; whether they are others than it was signed with. */
  renew(refused: Request): Promise<boolean>;
}

/** A refused client asks no more often for new credentials: what it asks costs money and has limits. */
const RENEW_EVERY_MS = 1_000;

export function openSigner(source: CredentialsSource | undefined, clock: Clock): Signer {
  let current: Promise<Credentials> | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;

  function fetch(refresh: boolean): Promise<Credentials> {
    const fetched = (async () => source!({ refresh }))();
    current = fetched;
    fetched.catch(() => {
      if (current === fetched) current = undefined;
    });
    return fetched;
  }

  return {
    async sign(request) {
      return source === undefined ? request : signWith(await (current ?? fetch(false)), request);
    },
    async renew(refused) {
      if (source === undefined) return false;
      const isSignedAnew = async () =>
        signWith(await (current ?? fetch(false)), refused).fields['Signature'] !== refused.fields['Signature'];
      if (await isSignedAnew()) return true;
      if (clock.monotonicMs() - renewedAt >= RENEW_EVERY_MS) {
        renewedAt = clock.monotonicMs();
        await fetch(true);
      }
      // By now another request may have asked for new ones, too.
      return isSignedAnew();
    },
  };
}

/** The request with its signature: HMAC-SHA1 over the values of all fields by the order of their names, then the body. */
export function signWith({ accessKey, secretKey, securityToken }: Credentials, request: Request): Request {
  const { Signature: _, SecurityToken: __, ...own } = request.fields;
  const fields: Record<string, string> = {
    ...own,
    AccessKey: accessKey,
    ...(securityToken !== undefined && { SecurityToken: securityToken }),
  };
  const hmac = createHmac('sha1', secretKey);
  for (const name of Object.keys(fields).sort()) hmac.update(fields[name]!, 'utf8');
  if (request.body !== undefined) hmac.update(request.body);
  return { ...request, fields: { ...fields, Signature: hmac.digest('base64') } };
}
