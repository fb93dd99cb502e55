import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import type { PublisherDefaults } from '../lambdas/core/event.ts';
import { CLIENT_EVENT_TYPES, DELIVERED, PUBLISH } from '../lambdas/core/event-type.ts';
import type { RocketMqConnector } from './connector/rocketmq-connector.ts';
import { type RocketMqRouteOptions, RocketMqSink, type RocketMqSinkProps } from './deliver/rocketmq-sink.ts';
import {
  CONNECTOR,
  checkOption,
  checkProps,
  LOG_GROUP,
  listOf,
  OBJECT,
  type OptionTypes,
  required,
  STRING,
} from './props.ts';
import type { Route } from './route.ts';
import { enableEntries } from './source/delivered-log.ts';
import { defaultHooks, type FilteredHook, type HookEvent, type Hooks } from './source/hook-events.ts';
import { HooksSource } from './source/hooks-source.ts';
import { OutflowTask } from './task.ts';
import type { OutflowTaskProps } from './task-props.ts';

export interface RocketMqHooksProps
  extends Omit<OutflowTaskProps, 'source' | 'sink' | 'route'>,
    Pick<
      RocketMqSinkProps,
      | 'batchSize'
      | 'produce'
      | 'inflightWindow'
      | 'syncTimeout'
      | 'refreshTopicRouteInterval'
      | 'autoCreateTopics'
      | 'topics'
    > {
  readonly connector: RocketMqConnector;
  /**
   * Where the events go.
   *
   * @default - the plugin's own topics with the filter `#`, such as `ClientConnected` and `MessagePublish`; `MessageDeliver` with
   * `deliveredLog`, and no `MessageAcked`
   */
  readonly hooks?: Hooks;
  /**
   * How `payload` holds a message's payload: base64 of its bytes, or its text. With `plain`, a message has the further key
   * `payload_encoding`: null, or `base64` for a payload that is not UTF-8.
   *
   * @default 'base64'
   */
  readonly encodePayloadType?: 'base64' | 'plain';
  /**
   * `node` of every event; AWS IoT Core reports none.
   *
   * @default null
   */
  readonly node?: string;
  /**
   * `username` and `qos` of events whose publisher does not set MQTT 5 user properties of those names.
   *
   * @default null for each
   */
  readonly defaults?: PublisherDefaults;
  /**
   * For `message.delivered`: the log group that AWS IoT Core writes its `Publish-Out` entries to. An entry reports that a message
   * was sent to a client, not that the client received it. It has no payload, QoS or publisher, so these are null. The logging is
   * a setting of the account; synth prints the command that enables it.
   *
   * @default - required for `message.delivered`, otherwise none
   */
  readonly deliveredLog?: ILogGroup;
}

/**
 * The seven hooks of EMQX's RocketMQ plugin (EMQX 3.x, "RocketMQ bridge") as one task. Each client event and message goes to the
 * topic of its hook, as JSON with the plugin's keys in the plugin's order. A value that AWS IoT Core does not report is null.
 *
 * @throws InvalidOptionError at synth for a hook that would never fire, such as `message.acked`.
 */
export class RocketMqHooks extends OutflowTask<RocketMqRouteOptions> {
  constructor(scope: Construct, id: string, props: RocketMqHooksProps) {
    checkOption(id, props, required(OBJECT));
    checkOption(`${id}.connector`, props.connector, required(CONNECTOR));
    checkOption(`${id}.hooks`, props.hooks, OBJECT);
    checkOption(`${id}.deliveredLog`, props.deliveredLog, LOG_GROUP);
    const { connector, encodePayloadType, node, defaults, deliveredLog, ...rest } = props;
    const { hooks = defaultHooks(deliveredLog !== undefined), ...options } = rest;
    const {
      batchSize,
      produce,
      inflightWindow,
      syncTimeout,
      refreshTopicRouteInterval,
      autoCreateTopics,
      topics,
      ...task
    } = options;
    const routes = routesOf(id, hooks, { encodePayloadType, node });
    if (hooks['message.delivered'] !== undefined && deliveredLog === undefined)
      throw new InvalidOptionError(
        `${id}.deliveredLog`,
        undefined,
        `the log group of AWS IoT Core's Publish-Out entries; to enable them, run:\n${enableEntries('<log group>')}`,
      );
    const sending = {
      batchSize,
      produce,
      inflightWindow,
      syncTimeout,
      refreshTopicRouteInterval,
      autoCreateTopics,
      topics,
    };
    const given = Object.fromEntries(Object.entries(sending).filter(([, value]) => value !== undefined));
    super(scope, id, {
      ...task,
      source: new HooksSource(hooks, {
        dataFormat: encodePayloadType === 'plain' ? 'text' : 'binary',
        defaults,
        deliveredLog,
      }),
      // Every route overrides the topic, so no message goes to this one.
      sink: new RocketMqSink(connector, { topic: routes[0]!.sink.topic, ...given }),
      route: { routes, match: 'all', otherwise: 'drop' },
    });
  }
}

type HookRoute = Route<RocketMqRouteOptions & { readonly topic: string }>;

const EVENT_TYPES = {
  'client.connected': CLIENT_EVENT_TYPES.connected,
  'client.disconnected': CLIENT_EVENT_TYPES.disconnected,
  'session.subscribed': CLIENT_EVENT_TYPES.subscribed,
  'session.unsubscribed': CLIENT_EVENT_TYPES.unsubscribed,
  'message.publish': PUBLISH,
  'message.delivered': DELIVERED,
} as const satisfies Partial<Record<HookEvent, string>>;

type Values = Readonly<Record<string, string | null>>;

/** Options of the value that a hook sends. */
export interface HookValueOptions {
  readonly encodePayloadType?: 'base64' | 'plain' | undefined;
  readonly node?: string | undefined;
}

/** The value that a hook sends: the plugin's keys in the plugin's order, each with a JSONPath, a template or null. */
export function hookValue(event: HookEvent, { encodePayloadType = 'base64', node }: HookValueOptions = {}): Values {
  const client = { client_id: '$.data.clientid', username: '$.data.username' };
  const nodeAndTime = { node: node === undefined ? null : node.replaceAll('$', '${$}'), ts: '$.data.timestamp' };
  const qos = '$.data.qos';
  switch (event) {
    case 'client.connected':
      return { ...client, ...nodeAndTime };
    case 'client.disconnected':
      return { ...client, reason: '$.data.reason', ...nodeAndTime };
    case 'session.subscribed':
    case 'session.unsubscribed':
      return { client_id: client.client_id, topic: '$.data.topic', qos, ...nodeAndTime };
    case 'message.publish': {
      const message = { ...client, topic: '$.data.topic' };
      if (encodePayloadType === 'base64') return { ...message, payload: '$.data.body', qos, ...nodeAndTime };
      const encoding = { payload_encoding: '$.data.systemProperties.payloadEncoding' };
      return { ...message, payload: '${payload}', qos, ...nodeAndTime, ...encoding };
    }
    case 'message.delivered':
    case 'message.acked':
      return { ...client, from: null, topic: '$.data.topic', payload: null, qos: null, ...nodeAndTime };
  }
}

const HOOK: OptionTypes<FilteredHook> = {
  topic: required(STRING),
  filter: STRING,
  messageGroup: STRING,
  key: STRING,
  tag: STRING,
};

function routesOf(id: string, hooks: Hooks, options: HookValueOptions): HookRoute[] {
  const routes: HookRoute[] = [];
  for (const [event, list] of Object.entries(hooks) as [HookEvent, readonly FilteredHook[] | undefined][]) {
    if (list === undefined) continue;
    if (event === 'message.acked')
      throw new InvalidOptionError(
        `${id}.hooks.message.acked`,
        described('a hook'),
        "none: AWS IoT Core does not report a client's PUBACK. Forward an acknowledgement that the client publishes, or send by " +
          'SendDirectMessage with confirmation, which waits for the PUBACK',
      );
    if (!Object.hasOwn(EVENT_TYPES, event))
      throw new InvalidOptionError(`${id}.hooks`, event, `one of ${Object.keys(EVENT_TYPES).join(', ')}`);
    checkOption(`${id}.hooks.${event}`, list, listOf(OBJECT));
    const isConnection = event.startsWith('client.');
    for (const [i, declared] of list.entries()) {
      checkProps(`${id}.hooks.${event}.${i}`, declared, HOOK);
      const { filter, ...hook } = declared;
      if (isConnection && filter !== undefined)
        throw new InvalidOptionError(`${id}.hooks.${event}.${i}.filter`, filter, 'none: a connection has no topic');
      routes.push({
        kind: EVENT_TYPES[event as keyof typeof EVENT_TYPES],
        ...(!isConnection && { topicFilter: filter ?? '#' }),
        sink: { ...hook, payload: hookValue(event, options) },
      });
    }
  }
  if (routes.length === 0) throw new InvalidOptionError(`${id}.hooks`, hooks, 'at least one hook');
  return routes;
}
