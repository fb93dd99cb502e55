/** A message as AWS IoT SQL sees it. */
export interface IotMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Absent for messages published by HTTPS. */
  readonly clientId?: string | undefined;
  readonly accountId?: string | undefined;
  readonly traceId?: string | undefined;
  readonly principal?: string | undefined;
  readonly sourceIp?: string | undefined;
  /** Milliseconds since 1970. */
  readonly timestamp?: number | undefined;
  readonly protocol?: 'MQTT' | 'HTTP' | undefined;
  readonly mqtt5?: Mqtt5Properties | undefined;
  /** Name of the rule to which Basic Ingest sent the message. */
  readonly ruleName?: string | undefined;
}

export interface Mqtt5Properties {
  readonly contentType?: string | undefined;
  readonly payloadFormatIndicator?: 0 | 1 | undefined;
  readonly responseTopic?: string | undefined;
  /** base64. */
  readonly correlationData?: string | undefined;
  readonly userProperties?: readonly (readonly [string, string])[] | undefined;
}
