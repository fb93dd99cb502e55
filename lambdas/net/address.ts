import { InvalidOptionError } from '../core/errors.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]@]+)):(\d{1,5})$/;

/** Reads `host:port`, with IPv6 addresses in brackets as in `[::1]:9876`. @returns undefined for any other text. */
export function parseAddress(text: string): HostAndPort | undefined {
  const [, ipv6, name, digits] = ADDRESS.exec(text) ?? [];
  const port = Number(digits);
  const host = ipv6 ?? name;
  return host === undefined || !(port >= 1 && port <= 65_535) ? undefined : { host, port };
}

/** @throws InvalidOptionError unless the text is `host:port`. */
export function checkAddress(option: string, text: string): string {
  if (parseAddress(text) === undefined) throw new InvalidOptionError(option, text, 'host:port, such as 10.0.0.5:9876');
  return text;
}
