import { InvalidOptionError } from '../../../core/errors.ts';
import { type Clock, systemClock } from '../../../net/clock.ts';
import { IN_FLIGHT_BY_PROXIES, MAX_MESSAGE_BYTES } from '../config.ts';
import type { CredentialsSource } from '../credentials.ts';
import { parseProxyAddress } from '../proxy-address.ts';

export interface GrpcProducerOptions {
  /** 'host:port' of each proxy, without IPv6 addresses. Any one is enough: each new client takes the next. */
  readonly endpoints: readonly string[];
  /** Credentials for access control. @default - calls are not signed */
  readonly credentials?: CredentialsSource;
  /** `ca`: certificate authorities in PEM, in place of those that Node trusts. Certificates are always verified. @default false */
  readonly tls?: { readonly ca?: string | Buffer } | false;
  /** The protocol's instance id, for proxies that serve several instances. Apache's own proxy disregards it. @default '' */
  readonly namespace?: string;
  /** Longest that one send may take, its route query included, in milliseconds. @default 3000 */
  readonly timeoutMs?: number;
  /** Concurrent sends over all topics; 1 sends one message after the other. @default 64 */
  readonly maxInFlight?: number;
  /** Bytes of a message's body. @default 4128768 */
  readonly maxMessageBytes?: number;
  /** @default - the machine's */
  readonly clock?: Clock;
}

/** Adds the defaults. @throws InvalidOptionError */
export function withDefaults(options: GrpcProducerOptions) {
  const all = {
    tls: false as const,
    namespace: '',
    timeoutMs: 3_000,
    maxInFlight: IN_FLIGHT_BY_PROXIES,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    clock: systemClock,
    ...options,
  };
  if (all.endpoints.length === 0) throw new InvalidOptionError('endpoints', all.endpoints, 'at least one host:port');
  for (const endpoint of all.endpoints)
    if (parseProxyAddress(endpoint) === undefined)
      throw new InvalidOptionError('endpoints', endpoint, 'host:port, such as 10.0.0.5:8081, and no IPv6 address');
  for (const name of ['timeoutMs', 'maxInFlight', 'maxMessageBytes'] as const)
    if (!(Number.isInteger(all[name]) && all[name] > 0))
      throw new InvalidOptionError(name, all[name], 'a whole number above 0');
  return all;
}
