/** The MQTT 5 properties of a message that AWS IoT Core carries from publisher to subscriber and to rules. */
export interface MessageProperties {
  contentType?: string;
  payloadFormatIndicator?: 0 | 1;
  responseTopic?: string;
  correlationData?: Uint8Array;
  /** In the publisher's order, repeated keys kept. */
  userProperties: [string, string][];
  /** Seconds, as the publisher gave them (clamped to AWS's 1 … 604,800). */
  messageExpiryInterval?: number;
}

/** One accepted publish, as rules see it. */
export interface Publication {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
  retain: boolean;
  dup: boolean;
  /** `n/a` when no MQTT client sent it: republished, over HTTP, lifecycle events. */
  clientId: string;
  sourceIp: string;
  /** Stands in for a certificate id: stable for a client id. */
  principal: string;
  /** Milliseconds since 1970, when the broker took it. */
  timestamp: number;
  traceId: string;
  protocol: 'MQTT';
  protocolVersion: 4 | 5;
  properties: MessageProperties;
}

/** Milliseconds since 1970 after which nobody may get the message any more; Infinity without an expiry. */
export function expiresAt(publication: Publication): number {
  const seconds = publication.properties.messageExpiryInterval;
  return seconds === undefined ? Number.POSITIVE_INFINITY : publication.timestamp + seconds * 1000;
}

/** The expiry interval to send on: what is left of it, in whole seconds, never 0 for a living message. */
export function remainingExpiry(publication: Publication, now: number): number | undefined {
  const end = expiresAt(publication);
  return end === Number.POSITIVE_INFINITY ? undefined : Math.max(1, Math.ceil((end - now) / 1000));
}
