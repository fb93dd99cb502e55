import { InvalidOptionError } from '../../../core/errors.ts';
import { type Clock, systemClock } from '../../net/clock.ts';
import { IN_FLIGHT_BY_PROXIES, MAX_MESSAGE_BYTES } from '../config.ts';
import type { CredentialsSource } from '../credentials.ts';
import { parseProxyAddress } from '../proxy-address.ts';

export interface GrpcProducerOptions {
  /** 'host:port' of each proxy, no IPv6 address; any one is enough: each new client takes the next. */
  readonly endpoints: readonly string[];
  /** What access control asks for. @default - nothing */
  readonly credentials?: CredentialsSource;
  /** `ca`: certificate authorities in PEM, in place of those that Node trusts. Certificates are always verified. @default false */
  readonly tls?: { readonly ca?: string | Buffer } | false;
  /** Instance id, as the protocol has it: for proxies that serve several instances. Apache's own disregards it. @default - none */
  readonly namespace?: string;
  /** Longest that one send may take, with all that comes before it (B6), in milliseconds. @default 3000 */
  readonly timeoutMs?: number;
  /** Sends at once, over all topics; 1 sends one after the other (A10). @default 64 */
  readonly maxInFlight?: number;
  /** Bytes of a message's body. @default 4128768 */
  readonly maxMessageBytes?: number;
  /** @default - the machine's */
  readonly clock?: Clock;
}

/** The options with all defaults. @throws InvalidOptionError */
export function withDefaults(options: GrpcProducerOptions) {
  const all = {
    tls: false as const,
    timeoutMs: 3_000,
    maxInFlight: IN_FLIGHT_BY_PROXIES,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    clock: systemClock,
    ...options,
  };
  if (all.endpoints.length === 0) throw new InvalidOptionError('endpoints', all.endpoints, 'one at least');
  for (const endpoint of all.endpoints)
    if (parseProxyAddress(endpoint) === undefined)
      throw new InvalidOptionError('endpoints', endpoint, 'host:port, such as 10.0.0.5:8081, and no IPv6 address');
  for (const name of ['timeoutMs', 'maxInFlight', 'maxMessageBytes'] as const)
    if (!(Number.isInteger(all[name]) && all[name] > 0))
      throw new InvalidOptionError(name, all[name], 'a whole number above 0');
  return all;
}
