/** RocketMQ servers on this machine: a name server, a broker and, with version 5, a proxy. */
export interface RocketMq {
  readonly version: 4 | 5;
  /** Address of the name server, 'host:port'. */
  readonly nameServer: string;
  /** Address of the broker for the remoting protocol, 'host:port'. */
  readonly broker: string;
  /** Address of the proxy for the gRPC protocol, 'host:port'. Only with version 5. */
  readonly endpoints: string | undefined;
  /** File with the certificate of the authority that signed the servers' certificate, PEM. Only with `tls`. */
  readonly caFile: string | undefined;
  /** Holds the servers' configuration, data and logs (`*.log`); `close` removes it. */
  readonly folder: string;
  /** Process ids of the name server, the broker and the client. */
  readonly pids: readonly number[];

  /** Creates a topic and resolves when the name server, and the proxy, have its route. */
  createTopic(topic: Topic): Promise<void>;
  /** Sends one message with RocketMQ's Java client. */
  send(topic: string, message: MessageToSend): Promise<SentMessage>;
  /** How many messages all queues of a topic hold. @throws Error if the topic does not exist */
  count(topic: string): Promise<number>;
  /** Reads all messages of a topic with RocketMQ's Java client, by queue and offset. They stay in the topic. */
  consume(topic: string, options?: ConsumeOptions): Promise<ConsumedMessage[]>;

  /** Kills the broker, and with it the proxy, as a power failure would. */
  stopBroker(): Promise<void>;
  /** Restarts the broker on its ports with its stored data. Resolves when it accepts messages. */
  startBroker(): Promise<void>;
  /** Kills the name server. */
  stopNameServer(): Promise<void>;
  /** Restarts the name server on its port. Resolves when a running broker is registered again. */
  startNameServer(): Promise<void>;
  /** Kills all processes and removes the folder. Repeated calls are safe. */
  close(): Promise<void>;
}

export interface Topic {
  readonly name: string;
  /** @default 4 */
  readonly queues?: number;
  /**
   * The type of message that the proxy accepts. Version 4 has no types.
   *
   * @default 'NORMAL'
   */
  readonly type?: 'NORMAL' | 'FIFO' | 'DELAY' | 'TRANSACTION';
}

export interface MessageToSend {
  readonly body: Uint8Array;
  /** Message keys, separated by spaces. */
  readonly keys?: string;
  readonly tags?: string;
  readonly properties?: Readonly<Record<string, string>>;
}

export interface SentMessage {
  readonly queueId: number;
  readonly queueOffset: number;
  /** The id that the client has given the message. */
  readonly messageId: string;
}

export interface ConsumeOptions {
  /**
   * Waits until the topic holds at least this many messages.
   *
   * @default - reads what the topic holds now
   */
  readonly count?: number;
  /** Time limit of that wait. @default 30000 */
  readonly timeoutMs?: number;
}

export interface ConsumedMessage extends SentMessage {
  readonly topic: string;
  readonly body: Buffer;
  readonly keys: string | undefined;
  readonly tags: string | undefined;
  /** Includes RocketMQ's properties, such as KEYS, TAGS and UNIQ_KEY. */
  readonly properties: Readonly<Record<string, string>>;
  /** Milliseconds since 1970, by the client's clock. */
  readonly bornTimestamp: number;
  /** Milliseconds since 1970, by the broker's clock. */
  readonly storeTimestamp: number;
}
