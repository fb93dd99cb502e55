import type { MqttBroker, MqttBrokerOptions } from './broker.ts';

/** What a broker's configuration is made from. */
export interface Layout
  extends Required<Pick<MqttBrokerOptions, 'home' | 'anonymous' | 'deniedTopics' | 'persistence'>> {
  /** Holds the broker's configuration, data and log. */
  readonly folder: string;
  readonly ports: { readonly tcp: number; readonly tls: number; readonly mtls: number };
  /** Paths of the authority's certificate, the server's certificate and its key, PEM. */
  readonly files: { readonly ca: string; readonly certificate: string; readonly key: string };
  /** Passwords by user. */
  readonly users: ReadonlyMap<string, string>;
  readonly receiveMaximum: number | undefined;
  readonly maxConnections: number | undefined;
  readonly maxKeepaliveSeconds: number | undefined;
  readonly maxPacketBytes: number | undefined;
}

/** How to run one kind of broker. */
export interface BrokerProgram {
  readonly name: MqttBroker['name'];
  readonly version: string;
  isInstalled(home: string): boolean;
  /** Writes the configuration to `folder` and its folder `conf`. Called once, before the first start. */
  configure(layout: Layout): void;
  /** Writes the users. Called before the first start and after each change. */
  writeUsers(layout: Layout): void;
  command(layout: Layout): Command;
  /** The signal upon which the running broker reads its users again. @default - it notices by itself */
  readonly reloadSignal?: NodeJS.Signals;
  /** How to make the running broker save its data at once. @default - it saves each change */
  readonly save?: { readonly signal: NodeJS.Signals; readonly file: (layout: Layout) => string };
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Environment variables beside PATH, HOME and TMPDIR. */
  readonly env?: Readonly<Record<string, string>>;
}
