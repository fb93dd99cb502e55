import { randomUUID } from 'node:crypto';
import type { IConnackPacket, IConnectPacket } from 'mqtt-packet';
import { Cursor } from './cursor.ts';
import { assertPublishable, quotas } from './limits.ts';
import { readWillProperties } from './properties.ts';
import type { MessageProperties } from './publication.ts';
import { ConnectionViolation, malformed, reasonCodes } from './violation.ts';

export interface Will {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
  retain: boolean;
  properties: MessageProperties;
  delaySeconds: number;
}

/** A CONNECT after AWS's rules: what the connection will be like. */
export interface Terms {
  clientId: string;
  /** The client gave none: an MQTT 5 client is told. */
  assigned: boolean;
  protocolVersion: 4 | 5;
  clean: boolean;
  keepAliveSeconds: number;
  sessionExpirySeconds: number;
  receiveMaximum: number;
  maximumPacketSize: number;
  will?: Will;
}

/** MQTT 3.1.1 CONNACK return codes. */
export const returnCodes = { unacceptableVersion: 1, identifierRejected: 2, notAuthorized: 5 } as const;

/** The protocol level of a CONNECT; undefined for one we do not speak, which earns return code 1. */
export function protocolVersion(frame: Buffer): 4 | 5 | undefined {
  const cursor = Cursor.body(frame);
  const name = cursor.string();
  if (name !== 'MQTT' && name !== 'MQIsdp') throw malformed('protocol name');
  const level = cursor.byte();
  return name === 'MQTT' && (level === 4 || level === 5) ? level : undefined;
}

export function readTerms(packet: IConnectPacket, frame: Buffer): Terms {
  const version = packet.protocolVersion === 5 ? 5 : 4;
  const clean = packet.clean === true;
  if (Buffer.byteLength(packet.clientId) > quotas.clientIdBytes || /[\0\uFFFD]/.test(packet.clientId)) {
    throw new ConnectionViolation('client id', reasonCodes.clientIdInvalid);
  }
  if (packet.clientId === '' && version === 4 && !clean) {
    throw new ConnectionViolation('no client id for a kept session', reasonCodes.clientIdInvalid);
  }
  const { properties = {} } = packet;
  if (properties.authenticationMethod !== undefined) {
    throw new ConnectionViolation('no authentication exchange', reasonCodes.badAuthenticationMethod);
  }
  const expiry = version === 5 ? count(properties.sessionExpiryInterval, 0) : clean ? 0 : quotas.sessionExpirySeconds;
  const terms: Terms = {
    clientId: packet.clientId || randomUUID(),
    assigned: packet.clientId === '',
    protocolVersion: version,
    clean,
    keepAliveSeconds: keepAlive(packet.keepalive ?? 0),
    sessionExpirySeconds: Math.min(expiry, quotas.sessionExpirySeconds),
    receiveMaximum: positive(properties.receiveMaximum, 0xffff),
    maximumPacketSize: positive(properties.maximumPacketSize, Number.POSITIVE_INFINITY),
  };
  if (packet.will !== undefined) terms.will = readWill(packet.will, frame, version);
  return terms;
}

function readWill(will: NonNullable<IConnectPacket['will']>, frame: Buffer, version: 4 | 5): Will {
  if ((will.qos ?? 0) > 1) throw new ConnectionViolation('will of QoS 2', reasonCodes.qosNotSupported);
  assertPublishable(will.topic);
  const read = version === 5 ? readWillProperties(frame) : undefined;
  return {
    topic: will.topic,
    payload: Buffer.from(will.payload),
    qos: will.qos === 1 ? 1 : 0,
    retain: will.retain === true,
    properties: read?.message ?? { userProperties: [] },
    delaySeconds: read?.willDelayInterval ?? 0,
  };
}

function keepAlive(asked: number): number {
  const { min, max } = quotas.keepAliveSeconds;
  return asked === 0 ? max : Math.min(Math.max(asked, min), max);
}

// mqtt-packet gives -1 for a number cut short and a list for one given twice.
function count(value: unknown, absent: number): number {
  if (value === undefined) return absent;
  if (typeof value !== 'number' || value < 0) throw malformed('property of CONNECT');
  return value;
}

function positive(value: unknown, absent: number): number {
  const given = count(value, absent);
  if (given === 0) throw new ConnectionViolation('0 where MQTT 5 forbids it', reasonCodes.protocolError);
  return given;
}

/** The answer to an accepted CONNECT. */
export function connack(terms: Terms, sessionPresent: boolean): IConnackPacket {
  if (terms.protocolVersion === 4) return { cmd: 'connack', returnCode: 0, sessionPresent };
  return {
    cmd: 'connack',
    reasonCode: reasonCodes.success,
    sessionPresent,
    properties: {
      sessionExpiryInterval: terms.sessionExpirySeconds,
      receiveMaximum: quotas.unacknowledged,
      maximumQoS: 1,
      retainAvailable: true,
      maximumPacketSize: quotas.packetBytes,
      topicAliasMaximum: quotas.topicAliasMaximum,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: true,
      serverKeepAlive: terms.keepAliveSeconds,
      ...(terms.assigned && { assignedClientIdentifier: terms.clientId }),
    },
  };
}

/** The answer to a refused CONNECT; undefined when MQTT 3.1.1 has no code for it and only closes. */
export function refusal(version: 4 | 5, code: number): IConnackPacket | undefined {
  if (version === 5) return { cmd: 'connack', reasonCode: code, sessionPresent: false };
  const returnCode = {
    [reasonCodes.clientIdInvalid]: returnCodes.identifierRejected,
    [reasonCodes.notAuthorized]: returnCodes.notAuthorized,
  }[code];
  return returnCode === undefined ? undefined : { cmd: 'connack', returnCode, sessionPresent: false };
}
