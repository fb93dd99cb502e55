/** An MQTT broker on this machine, on loopback. */
export interface MqttBroker {
  readonly name: 'mosquitto' | 'hivemq' | 'artemis';
  /** The broker's release. */
  readonly version: string;
  readonly host: '127.0.0.1';
  /** TCP without TLS. */
  readonly port: number;
  /** TLS with a certificate for `localhost` and 127.0.0.1 that `ca` has signed. */
  readonly tlsPort: number;
  /** TLS that also requires a client certificate that `ca` has signed. The certificate replaces user name and password. */
  readonly mtlsPort: number;
  /** Certificate of the authority, PEM. */
  readonly ca: string;
  /** A client certificate that `ca` has signed, with its key, PEM; also `client.pem` and `client.key` in `folder`. Its common name is `client`. */
  readonly client: { readonly certificate: string; readonly key: string };
  /** Holds the configuration, the data and the log; `close` removes it. */
  readonly folder: string;
  /** Process id. `undefined` while the broker is down. */
  readonly pid: number | undefined;

  /** All that the broker has logged since its first start. */
  log(): string;
  /** Changes a user's password. Resolves when the broker accepts the new one. @throws Error if there is no such user */
  setPassword(user: string, password: string): Promise<void>;
  /** Stops the broker in order: it saves its sessions and messages. */
  stop(): Promise<void>;
  /** Kills the broker, as a power failure would. mosquitto then loses what it has not saved; see `save`. */
  kill(): Promise<void>;
  /** Starts the broker on its ports with its data, after `stop` if it runs. Resolves when it accepts connections. */
  restart(): Promise<void>;
  /** Writes sessions and messages to the disk. Only mosquitto, which otherwise does so each second. */
  save?(): Promise<void>;
  /** Kills the broker and removes the folder. Repeated calls are safe. */
  close(): Promise<void>;
}

export interface MqttBrokerOptions {
  /** The folder that `npm run setup -- mqtt-brokers` has made. */
  readonly home: string;
  /** Users and their passwords. @default - none */
  readonly users?: Readonly<Record<string, string>>;
  /** Whether the broker accepts clients without a user name. @default - true without `users` */
  readonly anonymous?: boolean;
  /**
   * Topic filters that are closed to everyone. A publish is refused. A subscription is refused too, except by mosquitto, which grants
   * it and delivers nothing.
   *
   * @default - none
   */
  readonly deniedTopics?: readonly string[];
  /**
   * How many unacknowledged publishes of QoS 1 and 2 the broker accepts from one client. MQTT 5 clients read it from CONNACK.
   *
   * @default - the default of the broker: no limit in CONNACK, and 10 for HiveMQ
   */
  readonly receiveMaximum?: number;
  /** How many clients may be connected: to each port, or to all ports of HiveMQ. @default - no limit */
  readonly maxConnections?: number;
  /** Size of a packet that the broker accepts, in bytes. MQTT 5 clients read it from CONNACK. @default - no limit */
  readonly maxPacketBytes?: number;
  /**
   * The longest keepalive, in seconds. MQTT 5 clients read it from CONNACK. mosquitto 2.0.21 soon closes the connection of an active
   * client whose keepalive is not below it.
   *
   * @default - no limit
   */
  readonly maxKeepaliveSeconds?: number;
  /** Whether sessions and messages survive a restart. @default true */
  readonly persistence?: boolean;
}
