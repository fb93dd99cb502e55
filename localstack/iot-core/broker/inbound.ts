import { randomUUID } from 'node:crypto';
import type { IPublishPacket } from 'mqtt-packet';
import { OrderedAcks } from './acks.ts';
import type { Terms } from './connect.ts';
import { Cursor } from './cursor.ts';
import { principalOf } from './lifecycle.ts';
import { assertPublishable, quotas } from './limits.ts';
import { packetId } from './parser.ts';
import { readPublishProperties } from './properties.ts';
import type { MessageProperties, Publication } from './publication.ts';
import type { Services } from './services.ts';
import { ConnectionViolation, reasonCodes } from './violation.ts';
import type { Wire } from './wire.ts';

/** The part of a publish that does not come with its packet. */
export type Sender = Pick<Publication, 'clientId' | 'sourceIp' | 'principal' | 'protocolVersion'>;

/** The publishes of one connection: checked, handed on, acknowledged, and no more than `unacknowledged` at once. */
export class Inbound {
  readonly #wire: Wire;
  readonly #services: Services;
  readonly #acks: OrderedAcks;
  readonly #aliases = new Map<number, string>();
  readonly #sender: Sender;
  #unsettled = 0;
  #draining = false;

  constructor(wire: Wire, services: Services, { clientId, protocolVersion }: Terms) {
    this.#wire = wire;
    this.#services = services;
    this.#acks = new OrderedAcks((messageId) =>
      wire.send({ cmd: 'puback', messageId, reasonCode: reasonCodes.success }),
    );
    this.#sender = { clientId, protocolVersion, sourceIp: wire.remoteAddress, principal: principalOf(clientId) };
  }

  publish(packet: IPublishPacket, frame: Buffer): void {
    if (packet.qos === 2) throw new ConnectionViolation('AWS IoT Core has no QoS 2', reasonCodes.qosNotSupported);
    const name = Cursor.body(frame).string();
    const read = this.#sender.protocolVersion === 5 ? readPublishProperties(frame, packet.qos) : undefined;
    const topic = this.#resolve(name, read?.topicAlias);
    assertPublishable(topic);
    const payload = packet.payload as Buffer;
    if (payload.length > quotas.payloadBytes) {
      throw new ConnectionViolation(`payload of ${payload.length} bytes`, reasonCodes.packetTooLarge);
    }
    const settle = packet.qos === 1 ? this.#acks.expect(packetId(packet)) : undefined;
    const { qos, retain, dup } = packet;
    const properties: MessageProperties = read?.message ?? { userProperties: [] };
    this.#submit(
      stamped({ topic, payload, qos, retain, dup, properties, ...this.#sender }, this.#services.now()),
      settle,
    );
  }

  /** A last message, from the client's will. */
  publishWill({ topic, payload, qos, retain, properties }: NonNullable<Terms['will']>): void {
    const will = { topic, payload, qos, retain, dup: false, properties, ...this.#sender };
    this.#services.router.submit(stamped(will, this.#services.now()));
  }

  /** Reads no more: the broker is closing. */
  drain(): void {
    this.#draining = true;
  }

  #submit(publication: Publication, settle: ((accepted: boolean) => void) | undefined): void {
    this.#unsettled += 1;
    let settled = false;
    this.#services.router.submit(publication, (accepted) => {
      settled = true;
      this.#unsettled -= 1;
      settle?.(accepted);
      if (this.#unsettled < quotas.unacknowledged && !this.#draining) this.#wire.resume();
    });
    // A fast publisher waits in its own socket, not in our memory.
    if (!settled && this.#unsettled >= quotas.unacknowledged) this.#wire.pause();
  }

  #resolve(name: string, alias: number | undefined): string {
    if (alias === undefined) return name;
    if (alias === 0 || alias > quotas.topicAliasMaximum) {
      throw new ConnectionViolation(`topic alias ${alias}`, reasonCodes.topicAliasInvalid);
    }
    if (name !== '') this.#aliases.set(alias, name);
    const topic = this.#aliases.get(alias);
    if (topic === undefined) throw new ConnectionViolation(`unknown topic alias ${alias}`, reasonCodes.protocolError);
    return topic;
  }
}

/** A publish with what the broker adds to it. */
export function stamped(
  fields: Omit<Publication, 'timestamp' | 'traceId' | 'protocol'> & { traceId?: string },
  timestamp: number,
): Publication {
  return { traceId: randomUUID(), ...fields, timestamp, protocol: 'MQTT' };
}
