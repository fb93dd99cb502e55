import type { ClientEventData, DataFormat, EventData, MqttEvent, SystemProperties } from '../lambdas/core/event.ts';
import { CLIENT_EVENT_TYPES, isClientEvent } from '../lambdas/core/event-type.ts';
import type { ClientRuleOutput, PublishProperties, RuleOutput } from '../lambdas/core/rule-output.ts';

/** A field without fields. */
export const VALUE = 'value';
/** A field whose fields the publisher chooses. */
export const OPEN = 'open';

export type Shape = typeof VALUE | typeof OPEN | Fields;
/** Names of fields, and what is in them. */
export interface Fields {
  readonly [name: string]: Shape;
}

type FieldsOf<Type> = Readonly<Record<keyof Type & string, Shape>>;

const FLAGS: FieldsOf<EventData['flags']> = { retain: VALUE, dup: VALUE };

const SYSTEM_PROPERTIES: FieldsOf<SystemProperties> = {
  KEYS: VALUE,
  TAGS: VALUE,
  contentType: VALUE,
  payloadFormatIndicator: VALUE,
  responseTopic: VALUE,
  correlationData: VALUE,
  payloadEncoding: VALUE,
};

const DATA: FieldsOf<EventData> = {
  topic: VALUE,
  clientid: VALUE,
  username: VALUE,
  qos: VALUE,
  flags: FLAGS,
  timestamp: VALUE,
  peerhost: VALUE,
  body: OPEN,
  userProperties: OPEN,
  systemProperties: SYSTEM_PROPERTIES,
};

const DATA_OF_CLIENT_EVENT: FieldsOf<ClientEventData> = {
  ...DATA,
  sessionIdentifier: VALUE,
  versionNumber: VALUE,
  reason: VALUE,
};

/** The fields of the events of some types, as patterns and JSONPaths see them. */
export function eventShape(types: readonly string[], dataFormat: DataFormat): Fields {
  // The body of a client event is JSON for every data format.
  const isText = dataFormat !== 'json' && !types.some(isClientEvent);
  const event: FieldsOf<MqttEvent> = {
    specversion: VALUE,
    id: VALUE,
    type: VALUE,
    source: VALUE,
    subject: VALUE,
    time: VALUE,
    datacontenttype: VALUE,
    data: { ...(types.some(isClientEvent) ? DATA_OF_CLIENT_EVENT : DATA), ...(isText && { body: VALUE }) },
  };
  return event;
}

const PUBLISH_PROPERTIES: FieldsOf<PublishProperties> = {
  'Payload-Format-Indicator': VALUE,
  'Content-Type': VALUE,
  'Response-Topic': VALUE,
  'Correlation-Data': VALUE,
  'User-Property': OPEN,
};

const RULE_OUTPUT: FieldsOf<RuleOutput> = {
  event: VALUE,
  id: VALUE,
  clientid: VALUE,
  username: VALUE,
  principal: VALUE,
  topic: VALUE,
  qos: VALUE,
  flags: FLAGS,
  timestamp: VALUE,
  publish_received_at: VALUE,
  peerhost: VALUE,
  payload: OPEN,
  payload_encoding: VALUE,
  pub_props: PUBLISH_PROPERTIES,
};

const { connected, disconnected, subscribed, unsubscribed } = CLIENT_EVENT_TYPES;

/** Fields that only some client events have. */
const SOME: Readonly<Record<string, readonly string[]>> = {
  topic: [subscribed, unsubscribed],
  qos: [subscribed, unsubscribed],
  reason: [disconnected],
  connected_at: [connected],
  disconnected_at: [disconnected],
};

const CLIENT_RULE_OUTPUT: FieldsOf<ClientRuleOutput> = {
  event: VALUE,
  id: VALUE,
  clientid: VALUE,
  username: VALUE,
  principal: VALUE,
  topic: VALUE,
  qos: VALUE,
  reason: VALUE,
  peerhost: VALUE,
  timestamp: VALUE,
  connected_at: VALUE,
  disconnected_at: VALUE,
  session_identifier: VALUE,
  version_number: VALUE,
};

/** The fields of the rule output of some event types, as templates see them. */
export function ruleOutputShape(types: readonly string[]): Fields {
  const client = types.filter(isClientEvent);
  const ofClients = Object.entries(CLIENT_RULE_OUTPUT).filter(
    ([name]) => SOME[name] === undefined || client.some((type) => SOME[name]!.includes(type)),
  );
  return {
    ...(client.length > 0 && Object.fromEntries(ofClients)),
    ...(client.length < types.length && RULE_OUTPUT),
  };
}
