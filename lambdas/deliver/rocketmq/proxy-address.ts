import { type HostAndPort, parseAddress } from '../../net/address.ts';

/** Reads `host:port`. @returns undefined for any other text, and for IPv6 addresses, which the client of proxies misreads. */
export function parseProxyAddress(text: string): HostAndPort | undefined {
  const address = parseAddress(text);
  return address?.host.includes(':') ? undefined : address;
}
