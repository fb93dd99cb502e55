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
/** Credentials that a server still takes are asked for again after so long: the next ones are then known before these end. */
export const KEEP_MS = 300_000;

export function openSigner(source: CredentialsSource | undefined, clock: Clock): Signer {
  const kept = source && keepCredentials(source, clock);
  return {
    async sign(request) {
      return kept === undefined ? request : signWith(await kept.known(), request);
    },
    async renew(refused) {
      const isRefused = (credentials: Credentials) =>
        signWith(credentials, refused).fields['Signature'] === refused.fields['Signature'];
      return kept === undefined ? false : kept.renew(isRefused);
    },
  };
}

/** The credentials of now. */
export interface KeptCredentials {
  known(): Promise<Credentials>;
  /** Fetches them anew after a server has refused those that `isRefused` knows; whether they are others. */
  renew(isRefused: (credentials: Credentials) => boolean): Promise<boolean>;
}

export function keepCredentials(source: CredentialsSource, clock: Clock): KeptCredentials {
  let current: Promise<Credentials> | undefined;
  let fetchedAtMs = 0;
  let renewedAt = Number.NEGATIVE_INFINITY;

  /** The old ones do for as long as there are no new ones. */
  function fetch(refresh: boolean, old?: Promise<Credentials>): Promise<Credentials> {
    const asked = (async () => source({ refresh }))();
    const fetched = old === undefined ? asked : asked.catch(() => old);
    fetchedAtMs = clock.wallMs();
    current = fetched;
    fetched.catch(() => {
      if (current === fetched) current = undefined;
    });
    return fetched;
  }

  return {
    known() {
      if (current === undefined) return fetch(false);
      return clock.wallMs() - fetchedAtMs < KEEP_MS ? current : fetch(false, current);
    },
    async renew(isRefused) {
      const areOthers = async () => !isRefused(await (current ?? fetch(false)));
      if (await areOthers()) return true;
      if (clock.monotonicMs() - renewedAt >= RENEW_EVERY_MS) {
        renewedAt = clock.monotonicMs();
        await fetch(true);
      }
      // By now another request may have asked for new ones, too.
      return areOthers();
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
