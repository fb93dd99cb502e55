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

/** What a CONNECT asks for, within the limits of AWS IoT Core. */
export interface ConnectionSettings {
  clientId: string;
  /** Whether the broker chose the client id. CONNACK reports it to an MQTT 5 client. */
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

/** Reads the protocol level of a CONNECT; undefined when it is neither 4 nor 5, which return code 1 answers. */
export function protocolVersion(frame: Buffer): 4 | 5 | undefined {
  const cursor = Cursor.body(frame);
  const name = cursor.string();
  if (name !== 'MQTT' && name !== 'MQIsdp') throw malformed('protocol name');
  const level = cursor.byte();
  return name === 'MQTT' && (level === 4 || level === 5) ? level : undefined;
}

/** @throws ConnectionViolation when AWS IoT Core would refuse the CONNECT. */
export function readConnect(packet: IConnectPacket, frame: Buffer): ConnectionSettings {
  const version = packet.protocolVersion === 5 ? 5 : 4;
  const clean = packet.clean === true;
  if (Buffer.byteLength(packet.clientId) > quotas.clientIdBytes || /[\0\uFFFD-\uFFFF]/.test(packet.clientId)) {
    throw new ConnectionViolation(
      `client id: expected UTF-8 of at most ${quotas.clientIdBytes} bytes without U+0000, U+FFFE and U+FFFF`,
      reasonCodes.clientIdInvalid,
    );
  }
  if (packet.clientId === '' && version === 4 && !clean) {
    throw new ConnectionViolation('client id: got an empty one with clean session 0', reasonCodes.clientIdInvalid);
  }
  const { properties = {} } = packet;
  if (properties.authenticationMethod !== undefined) {
    throw new ConnectionViolation(
      'authentication method: extended authentication is not supported',
      reasonCodes.badAuthenticationMethod,
    );
  }
  const expiry = version === 5 ? count(properties.sessionExpiryInterval, 0) : clean ? 0 : quotas.sessionExpirySeconds;
  const settings: ConnectionSettings = {
    clientId: packet.clientId || randomUUID(),
    assigned: packet.clientId === '',
    protocolVersion: version,
    clean,
    keepAliveSeconds: keepAlive(packet.keepalive ?? 0),
    sessionExpirySeconds: Math.min(expiry, quotas.sessionExpirySeconds),
    receiveMaximum: positive(properties.receiveMaximum, 0xffff),
    maximumPacketSize: positive(properties.maximumPacketSize, Number.POSITIVE_INFINITY),
  };
  if (packet.will !== undefined) settings.will = readWill(packet.will, frame, version);
  return settings;
}

function readWill(will: NonNullable<IConnectPacket['will']>, frame: Buffer, version: 4 | 5): Will {
  if ((will.qos ?? 0) > 1)
    throw new ConnectionViolation('will QoS: got 2; AWS IoT Core supports 0 and 1', reasonCodes.qosNotSupported);
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

function keepAlive(requested: number): number {
  const { min, max } = quotas.keepAliveSeconds;
  return requested === 0 ? max : Math.min(Math.max(requested, min), max);
}

// mqtt-packet returns -1 for a truncated number and a list for a property given twice.
function count(value: unknown, absent: number): number {
  if (value === undefined) return absent;
  if (typeof value !== 'number' || value < 0) throw malformed('CONNECT property');
  return value;
}

function positive(value: unknown, absent: number): number {
  const given = count(value, absent);
  if (given === 0)
    throw new ConnectionViolation('CONNECT property: got 0, which MQTT 5 forbids', reasonCodes.protocolError);
  return given;
}

/** The CONNACK for an accepted CONNECT. */
export function connack(settings: ConnectionSettings, sessionPresent: boolean): IConnackPacket {
  if (settings.protocolVersion === 4) return { cmd: 'connack', returnCode: 0, sessionPresent };
  return {
    cmd: 'connack',
    reasonCode: reasonCodes.success,
    sessionPresent,
    properties: {
      sessionExpiryInterval: settings.sessionExpirySeconds,
      receiveMaximum: quotas.unacknowledged,
      maximumQoS: 1,
      retainAvailable: true,
      maximumPacketSize: quotas.packetBytes,
      topicAliasMaximum: quotas.topicAliasMaximum,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: false,
      sharedSubscriptionAvailable: true,
      serverKeepAlive: settings.keepAliveSeconds,
      ...(settings.assigned && { assignedClientIdentifier: settings.clientId }),
    },
  };
}

/** The CONNACK for a refused CONNECT; undefined when MQTT 3.1.1 has no return code for it, and the broker only closes. */
export function refusal(version: 4 | 5, code: number): IConnackPacket | undefined {
  if (version === 5) return { cmd: 'connack', reasonCode: code, sessionPresent: false };
  const returnCode = {
    [reasonCodes.clientIdInvalid]: returnCodes.identifierRejected,
    [reasonCodes.notAuthorized]: returnCodes.notAuthorized,
  }[code];
  return returnCode === undefined ? undefined : { cmd: 'connack', returnCode, sessionPresent: false };
}
