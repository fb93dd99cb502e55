import type { Socket } from 'node:net';
import { type IConnackPacket, type IPublishPacket, type Packet, type Parser, writeToStream } from 'mqtt-packet';
import { ConnectionClosedError, NoAnswerError } from './errors.ts';
import { FIRST_FAILURE, reasonText } from './reason-codes.ts';

export type ProtocolVersion = 3 | 4 | 5;

/** A message to publish, in the fields of an MQTT PUBLISH packet. */
export type Publication = Pick<IPublishPacket, 'topic' | 'payload' | 'qos' | 'retain' | 'properties'>;

export interface ConnectionOptions {
  readonly protocolVersion: ProtocolVersion;
  /** Interval of PINGREQ packets; 0 sends none. A broker closes a connection that is silent for 1.5 times this long. */
  readonly keepaliveSeconds: number;
  /** Called with each message that the broker sends. The client acknowledges nothing by itself. */
  readonly onMessage?: (message: IPublishPacket, connection: MqttConnection) => void;
}

interface Pending {
  readonly resolve: (packet: Packet) => void;
  readonly reject: (error: Error) => void;
}

/** A packet with an identifier that has no answer yet. */
interface Request extends Pending {
  /** The packet that answers it. */
  readonly answer: Packet['cmd'];
  /** Reason code of a PUBREC. With it the broker has taken over the message; PUBCOMP only releases the identifier. */
  accepted?: number;
}

const ANSWERS: Partial<Record<Packet['cmd'], Packet['cmd']>> = { subscribe: 'suback', unsubscribe: 'unsuback' };

const MAX_PACKET_ID = 65_535;

/**
 * An MQTT connection after its CONNACK. It neither reconnects nor sends anything a second time: its user decides that, who knows
 * what a duplicate costs. Every promise settles, at the latest when the connection closes or its own time is over.
 */
export class MqttConnection {
  readonly connack: IConnackPacket;
  /** Settles when the connection has ended, with the reason; never rejects. */
  readonly closed: Promise<ConnectionClosedError>;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #pending = new Map<number, Request>();
  readonly #pings: Pending[] = [];
  #barrier: Promise<void> | undefined;
  #lastId = 0;
  #isLastRefused = false;
  #isPaused = false;
  #end: ConnectionClosedError | undefined;
  #onClosed!: (reason: ConnectionClosedError) => void;
  readonly #keepalive: NodeJS.Timeout | undefined;

  /** @param packets The parser that the socket feeds. */
  constructor(socket: Socket, packets: Parser, connack: IConnackPacket, options: ConnectionOptions) {
    this.connack = connack;
    this.#socket = socket;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    // An idle connection does not keep the process; a call that waits for an answer does, by its timer.
    socket.unref();
    packets.on('packet', (packet) => this.#receive(packet));
    packets.on('error', (cause) => this.#closeByClient(`malformed packet: ${(cause as Error).message}`, cause));
    socket.on('error', (cause) => this.#close(this.#closing(cause.message, { cause })));
    socket.on('close', () => this.#close(this.#closing('the broker closed the connection')));
    const seconds = connack.properties?.serverKeepAlive ?? options.keepaliveSeconds;
    if (seconds > 0) {
      const intervalMs = seconds * 750;
      this.#keepalive = setInterval(() => this.#keepAlive(intervalMs), intervalMs).unref();
    }
  }

  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /**
   * Publishes a message, and waits until the broker has it: for the acknowledgement with QoS 1 and 2, for the answer to a later
   * PINGREQ with QoS 0, since brokers process packets in their order.
   *
   * @returns the broker's reason code; 0 in MQTT 3.1 and 3.1.1, which have none.
   * @throws ConnectionClosedError, NoAnswerError, which closes the connection.
   */
  async publish(publication: Publication, timeoutMs: number): Promise<number> {
    const { properties, ...message } = publication;
    const packet: IPublishPacket = {
      cmd: 'publish',
      dup: false,
      ...message,
      ...(this.#options.protocolVersion === 5 && properties !== undefined && { properties }),
    };
    if (packet.qos === 0) {
      this.#write(packet);
      await this.#processed(timeoutMs);
      return 0;
    }
    const answer = await this.#request(packet, timeoutMs);
    return reasonCodeOf(answer);
  }

  /**
   * Subscribes in one packet. The broker sends retained messages only for subscriptions that its session did not have, and keeps their
   * retain flag as it was published.
   *
   * @returns the granted QoS or the failure code of each filter, in their order.
   * @throws as `publish`.
   */
  async subscribe(
    subscriptions: readonly { readonly topic: string; readonly qos: 0 | 1 | 2 }[],
    timeoutMs: number,
  ): Promise<readonly number[]> {
    // MQTT 5, section 3.8.3.1
    const v5 = this.#options.protocolVersion === 5 ? { nl: false, rap: true, rh: 1 } : {};
    const answer = await this.#request(
      { cmd: 'subscribe', subscriptions: subscriptions.map((one) => ({ ...one, ...v5 })) },
      timeoutMs,
    );
    return (answer as { granted?: number[] }).granted ?? [];
  }

  /** @throws as `publish`. */
  async unsubscribe(filters: readonly string[], timeoutMs: number): Promise<void> {
    await this.#request({ cmd: 'unsubscribe', unsubscriptions: [...filters] }, timeoutMs);
  }

  /** Acknowledges a received message: QoS 1 as a whole, QoS 2 with its first step; `#receive` does the second. */
  acknowledge({ qos, messageId }: Pick<IPublishPacket, 'qos' | 'messageId'>): void {
    if (qos === 0 || messageId === undefined || !this.isOpen) return;
    this.#write({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId, reasonCode: 0 });
  }

  /** Stops reading, so that the broker has to wait; acknowledgements are still sent. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
    // Their answers are not read in time. A connection that reads messages publishes none that wait for a PINGRESP.
    for (const { resolve } of this.#pings.splice(0)) resolve({ cmd: 'pingresp' });
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Asks whether the broker still answers. @throws ConnectionClosedError, NoAnswerError, which closes the connection. */
  async ping(timeoutMs: number): Promise<void> {
    const answered = this.#settled((pending) => {
      this.#pings.push(pending);
      this.#write({ cmd: 'pingreq' });
    }, 'PINGREQ');
    await this.#within(timeoutMs, 'PINGREQ', answered);
  }

  /** Ends the connection in good order: the broker publishes no will, and keeps the session until it expires. */
  async disconnect(timeoutMs = 500): Promise<void> {
    if (!this.isOpen) return;
    this.#write({ cmd: 'disconnect', reasonCode: 0 });
    this.#close(new ConnectionClosedError('this client disconnected', { isByClient: true }), false);
    const socket = this.#socket;
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.end();
    });
    clearTimeout(timer);
  }

  /** Ends the connection at once. */
  destroy(reason = 'this client closed the connection'): void {
    this.#closeByClient(reason);
  }

  #keepAlive(intervalMs: number): void {
    // While nothing is read, no answer is seen.
    if (this.#isPaused) this.#write({ cmd: 'pingreq' });
    else this.ping(intervalMs).catch(() => {}); // which closes the connection
  }

  #receive(packet: Packet): void {
    // The rest of a chunk, after the connection has ended.
    if (!this.isOpen) return;
    switch (packet.cmd) {
      case 'publish':
        this.#options.onMessage?.(packet, this);
        return;
      case 'pingresp':
        this.#pings.shift()?.resolve(packet);
        return;
      case 'disconnect': {
        const code = packet.reasonCode ?? 0;
        const reason = packet.properties?.reasonString;
        this.#close(
          this.#closing(`DISCONNECT ${reasonText(code)}${reason === undefined ? '' : `: ${reason}`}`, { code }),
        );
        return;
      }
      case 'pubrel':
        this.#write({ cmd: 'pubcomp', messageId: packet.messageId!, reasonCode: 0 });
        return;
      case 'pubrec':
      case 'puback':
      case 'pubcomp':
      case 'suback':
      case 'unsuback':
        this.#settle(packet);
    }
  }

  /** Ignores answers to packets that this client has not sent. */
  #settle(packet: Packet): void {
    const id = packet.messageId!;
    const request = this.#pending.get(id);
    if (request === undefined) return;
    const code = reasonCodeOf(packet);
    if (packet.cmd === 'pubrec' && request.answer === 'pubcomp') {
      if (request.accepted !== undefined) return;
      if (code < FIRST_FAILURE) {
        request.accepted = code;
        this.#write({ cmd: 'pubrel', messageId: id, reasonCode: 0 });
        return;
      }
    } else if (packet.cmd !== request.answer || (packet.cmd === 'pubcomp' && request.accepted === undefined)) return;
    this.#pending.delete(id);
    if (packet.cmd === 'puback' || packet.cmd === 'pubrec') this.#isLastRefused = code >= FIRST_FAILURE;
    request.resolve(request.accepted === undefined ? packet : { cmd: 'pubcomp', reasonCode: request.accepted });
  }

  /** One PINGREQ serves all QoS 0 messages that were written in the same turn of the event loop. */
  #processed(timeoutMs: number): Promise<void> {
    this.#barrier ??= new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        this.#barrier = undefined;
        this.ping(timeoutMs).then(resolve, reject);
      });
    });
    return this.#barrier;
  }

  #request(packet: Packet, timeoutMs: number): Promise<Packet> {
    const what = packet.cmd.toUpperCase();
    const answer = ANSWERS[packet.cmd] ?? ((packet as IPublishPacket).qos === 2 ? 'pubcomp' : 'puback');
    const answered = this.#settled((pending) => {
      packet.messageId = this.#freeId();
      this.#pending.set(packet.messageId, { ...pending, answer });
      this.#write(packet);
    }, what);
    return this.#within(timeoutMs, what, answered);
  }

  #settled(start: (pending: Pending) => void, what: string): Promise<Packet> {
    if (this.#end !== undefined) {
      const { message, code, isByClient, isExplained } = this.#end;
      const known = { ...(code !== undefined && { code }), isByClient, isExplained, cause: this.#end };
      return Promise.reject(new ConnectionClosedError(`${what} not sent: ${message}`, known));
    }
    return new Promise((resolve, reject) => start({ resolve, reject }));
  }

  /** A broker that leaves a packet without an answer keeps its identifier, so that the connection is of no further use. */
  async #within(timeoutMs: number, what: string, answered: Promise<Packet>): Promise<Packet> {
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new NoAnswerError(`${what}: no answer within ${Math.ceil(timeoutMs)} ms`);
        reject(error);
        this.#closeByClient(error.message, error);
      }, timeoutMs);
    });
    // Closing the connection rejects `answered` as well.
    answered.catch(() => {});
    try {
      return await Promise.race([answered, timedOut]);
    } finally {
      clearTimeout(timer);
    }
  }

  #freeId(): number {
    if (this.#pending.size === MAX_PACKET_ID) throw new RangeError(`${MAX_PACKET_ID} packets have no answer yet`);
    do this.#lastId = (this.#lastId % MAX_PACKET_ID) + 1;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #write(packet: Packet): void {
    if (this.isOpen) writeToStream(packet, this.#socket, { protocolVersion: this.#options.protocolVersion });
  }

  #closing(message: string, options: { code?: number; cause?: unknown } = {}): ConnectionClosedError {
    return new ConnectionClosedError(message, { ...options, isExplained: this.#isLastRefused });
  }

  #closeByClient(message: string, cause?: unknown): void {
    this.#close(new ConnectionClosedError(message, { isByClient: true, cause }));
  }

  #close(reason: ConnectionClosedError, destroySocket = true): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    clearInterval(this.#keepalive);
    if (destroySocket) this.#socket.destroy();
    for (const { reject } of [...this.#pending.values(), ...this.#pings]) reject(reason);
    this.#pending.clear();
    this.#pings.length = 0;
    this.#onClosed(reason);
  }
}

function reasonCodeOf(packet: Packet): number {
  return (packet as { reasonCode?: number }).reasonCode ?? 0;
}
