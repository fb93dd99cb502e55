import type { DisconnectReason } from './lifecycle.ts';

/** The MQTT 5 reason codes that this broker sends. */
export const reasonCodes = {
  success: 0x00,
  disconnectWithWill: 0x04,
  noSubscriptionExisted: 0x11,
  unspecified: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  clientIdInvalid: 0x85,
  notAuthorized: 0x87,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  qosNotSupported: 0x9b,
  subscriptionIdentifiersNotSupported: 0xa1,
} as const;

/**
 * An error of a client that closes its connection.
 *
 * `code` is sent to an MQTT 5 client, and `reason` is part of the lifecycle event.
 */
export class ConnectionViolation extends Error {
  override readonly name = 'ConnectionViolation';
  readonly code: number;
  readonly reason: DisconnectReason;

  constructor(message: string, code: number, reason: DisconnectReason = 'CLIENT_ERROR', options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = reason;
  }
}

/** The error for bytes that are not an MQTT packet. */
export function malformed(what: string, cause?: unknown): ConnectionViolation {
  return new ConnectionViolation(`malformed packet: ${what}`, reasonCodes.malformedPacket, 'CLIENT_ERROR', { cause });
}
