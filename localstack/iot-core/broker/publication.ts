/** The MQTT 5 properties that AWS IoT Core forwards from the publisher to subscribers and rules. */
export interface MessageProperties {
  contentType?: string;
  payloadFormatIndicator?: 0 | 1;
  responseTopic?: string;
  correlationData?: Uint8Array;
  /** In the publisher's order, with repeated keys. */
  userProperties: [string, string][];
  /** Seconds, limited to 1 to 604,800 as on AWS. */
  messageExpiryInterval?: number;
}

/** One accepted publish, with the fields that rules can read. */
export interface Publication {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1;
  retain: boolean;
  dup: boolean;
  /** `n/a` when no MQTT client sent it, as for lifecycle events. */
  clientId: string;
  sourceIp: string;
  /** Replaces a certificate id; always the same for a client id. */
  principal: string;
  /** When the broker received it, in milliseconds since the epoch. */
  timestamp: number;
  /** Undefined for a message that was published by HTTPS, as `traceid()` of AWS IoT SQL is. */
  traceId: string | undefined;
  protocol: 'MQTT' | 'HTTP';
  protocolVersion: 4 | 5;
  properties: MessageProperties;
}

/** When the message expires, in milliseconds since the epoch; Infinity without a message expiry interval. */
export function expiresAt(publication: Publication): number {
  const seconds = publication.properties.messageExpiryInterval;
  return seconds === undefined ? Number.POSITIVE_INFINITY : publication.timestamp + seconds * 1000;
}

/** The remaining message expiry interval for a subscriber, in whole seconds, at least 1. */
export function remainingExpiry(publication: Publication, now: number): number | undefined {
  const end = expiresAt(publication);
  return end === Number.POSITIVE_INFINITY ? undefined : Math.max(1, Math.ceil((end - now) / 1000));
}
