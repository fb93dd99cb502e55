import { randomUUID } from 'node:crypto';
import type { IPublishPacket } from 'mqtt-packet';
import { OrderedAcks } from './acks.ts';
import type { ConnectionSettings, Will } from './connect.ts';
import { Cursor } from './cursor.ts';
import { principalOf } from './lifecycle.ts';
import { assertPublishable, quotas } from './limits.ts';
import type { MqttSocket } from './mqtt-socket.ts';
import { packetId } from './parser.ts';
import { readPublishProperties } from './properties.ts';
import type { MessageProperties, Publication } from './publication.ts';
import type { Services } from './services.ts';
import { ConnectionViolation, reasonCodes } from './violation.ts';

/** The fields of a publication that belong to its connection. */
export type Publisher = Pick<Publication, 'clientId' | 'sourceIp' | 'principal' | 'protocolVersion'>;

/** Validates, routes and acknowledges the publishes of one connection, at most `quotas.unacknowledged` at a time. */
export class Inbound {
  readonly #socket: MqttSocket;
  readonly #services: Services;
  readonly #acks: OrderedAcks;
  readonly #aliases = new Map<number, string>();
  readonly #publisher: Publisher;
  #unsettled = 0;
  #isStopped = false;

  constructor(socket: MqttSocket, services: Services, { clientId, protocolVersion }: ConnectionSettings) {
    this.#socket = socket;
    this.#services = services;
    this.#acks = new OrderedAcks((messageId) =>
      socket.send({ cmd: 'puback', messageId, reasonCode: reasonCodes.success }),
    );
    this.#publisher = { clientId, protocolVersion, sourceIp: socket.remoteAddress, principal: principalOf(clientId) };
  }

  publish(packet: IPublishPacket, frame: Buffer): void {
    if (packet.qos === 2)
      throw new ConnectionViolation('PUBLISH QoS: got 2; AWS IoT Core supports 0 and 1', reasonCodes.qosNotSupported);
    const name = Cursor.body(frame).string();
    const read = this.#publisher.protocolVersion === 5 ? readPublishProperties(frame, packet.qos) : undefined;
    const topic = this.#resolve(name, read?.topicAlias);
    assertPublishable(topic);
    const payload = packet.payload as Buffer;
    if (payload.length > quotas.payloadBytes) {
      throw new ConnectionViolation(
        `payload: got ${payload.length} bytes; expected at most ${quotas.payloadBytes}`,
        reasonCodes.packetTooLarge,
      );
    }
    const settle = packet.qos === 1 ? this.#acks.reserve(packetId(packet)) : undefined;
    const { qos, retain, dup } = packet;
    const properties: MessageProperties = read?.message ?? { userProperties: [] };
    this.#submit(
      newPublication({ topic, payload, qos, retain, dup, properties, ...this.#publisher }, this.#services.now()),
      settle,
    );
  }

  publishWill({ topic, payload, qos, retain, properties }: Will): void {
    const will = { topic, payload, qos, retain, dup: false, properties, ...this.#publisher };
    this.#services.router.submit(newPublication(will, this.#services.now()));
  }

  /** Leaves the socket paused, because the broker is closing. */
  stopReading(): void {
    this.#isStopped = true;
  }

  #submit(publication: Publication, settle: ((accepted: boolean) => void) | undefined): void {
    this.#unsettled += 1;
    let settled = false;
    this.#services.router.submit(publication, (accepted) => {
      settled = true;
      this.#unsettled -= 1;
      settle?.(accepted);
      if (this.#unsettled < quotas.unacknowledged && !this.#isStopped) this.#socket.resume();
    });
    // Backpressure: further packets stay in the client's socket instead of in memory.
    if (!settled && this.#unsettled >= quotas.unacknowledged) this.#socket.pause();
  }

  #resolve(name: string, alias: number | undefined): string {
    if (alias === undefined) return name;
    if (alias === 0 || alias > quotas.topicAliasMaximum) {
      throw new ConnectionViolation(
        `topic alias: got ${alias}; expected 1 to ${quotas.topicAliasMaximum}`,
        reasonCodes.topicAliasInvalid,
      );
    }
    if (name !== '') this.#aliases.set(alias, name);
    const topic = this.#aliases.get(alias);
    if (topic === undefined)
      throw new ConnectionViolation(`topic alias: ${alias} has no topic yet`, reasonCodes.protocolError);
    return topic;
  }
}

/** Makes a publication: the message with a timestamp and, unless it has one, a trace id. */
export function newPublication(
  fields: Omit<Publication, 'timestamp' | 'traceId' | 'protocol'> & Partial<Pick<Publication, 'traceId' | 'protocol'>>,
  timestamp: number,
): Publication {
  return { traceId: randomUUID(), protocol: 'MQTT', ...fields, timestamp };
}
