import { type HostAndPort, parseAddress } from '../net/address.ts';

/** Reads 'host:port'; undefined for anything else, and for an IPv6 address: the client of proxies splits those at their colons. */
export function parseProxyAddress(text: string): HostAndPort | undefined {
  const address = parseAddress(text);
  return address?.host.includes(':') ? undefined : address;
}
