import { parseAddress } from '../address.ts';

export interface Server {
  /** `host:port` */
  readonly address: string;
  readonly isTls: boolean;
}

const SCHEMES: Readonly<Record<string, { readonly port: number; readonly isTls: boolean }>> = {
  mqtt: { port: 1883, isTls: false },
  mqtts: { port: 8883, isTls: true },
};
/** Other schemes of MQTT clients, and what to use instead. */
const OTHER: Readonly<Record<string, string>> = {
  tcp: 'mqtt://',
  ssl: 'mqtts://',
  tls: 'mqtts://',
  ws: 'mqtt://, since connectors do not support MQTT over WebSocket',
  wss: 'mqtts://, since connectors do not support MQTT over WebSocket',
  quic: 'mqtts://, since connectors do not support MQTT over QUIC',
};
const EXPECTED = 'mqtt://host:port or mqtts://host:port, such as mqtts://broker.example.com:8883';

/** Reads `mqtt://host[:port]`, `mqtts://host[:port]` or `host:port`. @returns what is expected for any other text. */
export function parseServer(text: string): Server | string {
  const [, scheme = 'mqtt', rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/i.exec(text) ?? [];
  const lower = scheme.toLowerCase();
  if (Object.hasOwn(OTHER, lower)) return OTHER[lower]!;
  if (!Object.hasOwn(SCHEMES, lower)) return EXPECTED;
  if (rest.includes('@')) return `${EXPECTED}, with the user name and password in the secret of credentials`;
  const { port, isTls } = SCHEMES[lower]!;
  const address = rest.replace(/\/$/, '');
  for (const candidate of [address, `${address}:${port}`])
    if (parseAddress(candidate) !== undefined) return { address: candidate, isTls };
  return EXPECTED;
}
