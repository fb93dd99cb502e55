/** RocketMQ servers of this machine: a name server, a broker, and with version 5 a proxy. */
export interface RocketMq {
  readonly version: 4 | 5;
  /** Name server, 'host:port'. */
  readonly nameServer: string;
  /** Broker, 'host:port': for the remoting protocol. */
  readonly broker: string;
  /** Proxy, 'host:port': for the gRPC protocol. Only with version 5. */
  readonly endpoints: string | undefined;
  /** Certificate of the authority that signed theirs, PEM. Only with `tls`. */
  readonly caFile: string | undefined;
  /** All they have on disk, logs (`*.log`) included; removed by `close`. */
  readonly folder: string;
  /** Of the name server, the broker and the client, as last started. */
  readonly pids: readonly number[];

  /** Resolves when its route is known, to the proxy, too. */
  createTopic(topic: Topic): Promise<void>;
  /** Sends one message by RocketMQ's own client. */
  send(topic: string, message: MessageToSend): Promise<SentMessage>;
  /** How many messages all queues of a topic hold. @throws when there is no such topic. */
  count(topic: string): Promise<number>;
  /** Reads a topic by RocketMQ's own client: all it holds, by queue and offset. Reads the same again when called again. */
  consume(topic: string, options?: ConsumeOptions): Promise<ConsumedMessage[]>;

  /** Kills the broker, and with it the proxy, as a power failure would. */
  stopBroker(): Promise<void>;
  /** Starts it again on its ports, with all it had stored. Resolves when it takes messages. */
  startBroker(): Promise<void>;
  /** Kills the name server. */
  stopNameServer(): Promise<void>;
  /** Starts it again on its port. Resolves when it knows the broker, if that runs. */
  startNameServer(): Promise<void>;
  /** Kills all of it, and forgets what was stored. Safe to call again. */
  close(): Promise<void>;
}

export interface Topic {
  readonly name: string;
  /** @default 4 */
  readonly queues?: number;
  /**
   * The only kind of message that the proxy lets in. Version 4 has no types.
   *
   * @default 'NORMAL'
   */
  readonly type?: 'NORMAL' | 'FIFO' | 'DELAY' | 'TRANSACTION';
}

export interface MessageToSend {
  readonly body: Uint8Array;
  /** With spaces between them. */
  readonly keys?: string;
  readonly tags?: string;
  readonly properties?: Readonly<Record<string, string>>;
}

export interface SentMessage {
  readonly queueId: number;
  readonly queueOffset: number;
  /** As the client made it. */
  readonly messageId: string;
}

export interface ConsumeOptions {
  /**
   * Waits until there are so many.
   *
   * @default - what is there now
   */
  readonly count?: number;
  /** How long it waits for them. @default 30000 */
  readonly timeoutMs?: number;
}

export interface ConsumedMessage extends SentMessage {
  readonly topic: string;
  readonly body: Buffer;
  readonly keys: string | undefined;
  readonly tags: string | undefined;
  /** RocketMQ's own among them, such as KEYS, TAGS and UNIQ_KEY. */
  readonly properties: Readonly<Record<string, string>>;
  /** Milliseconds since 1970, by the clock of the client. */
  readonly bornTimestamp: number;
  /** Milliseconds since 1970, by the clock of the broker. */
  readonly storeTimestamp: number;
}
