import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import type { PublisherDefaults } from '../lambdas/core/event.ts';
import { CLIENT_EVENT_TYPES, DELIVERED, PUBLISH } from '../lambdas/core/event-type.ts';
import type { RocketMqConnector } from './connector/rocketmq-connector.ts';
import { type RocketMqRouteOptions, RocketMqSink, type RocketMqSinkProps } from './deliver/rocketmq-sink.ts';
import type { Route } from './route.ts';
import { switchOn } from './source/delivered-log.ts';
import type { FilteredHook, HookEvent, Hooks } from './source/hook-events.ts';
import { HooksSource } from './source/hooks-source.ts';
import { OutflowTask } from './task.ts';
import type { OutflowTaskProps } from './task-props.ts';

export interface RocketMqHooksProps
  extends Omit<OutflowTaskProps, 'source' | 'sink' | 'route'>,
    Pick<
      RocketMqSinkProps,
      'batchSize' | 'produce' | 'inflightWindow' | 'syncTimeout' | 'refreshTopicRouteInterval' | 'autoCreateTopics'
    > {
  readonly connector: RocketMqConnector;
  readonly hooks: Hooks;
  /**
   * `payload` of messages: base64 of their bytes, or their text (rows B8, B21).
   *
   * @default 'base64'
   */
  readonly encodePayloadType?: 'base64' | 'plain';
  /**
   * `node` of every event, for AWS IoT Core has none (rows B11–B16).
   *
   * @default null
   */
  readonly node?: string;
  /**
   * `username` and `qos` of those events whose publisher does not tell them by MQTT 5 user properties of those names.
   *
   * @default null for each
   */
  readonly defaults?: PublisherDefaults;
  /**
   * For `message.delivered`: the log group that AWS IoT Core writes its `Publish-Out` entries to. They tell what was sent to
   * a client, not what it received, and no payload, QoS or publisher: those are null. The logging itself belongs to the
   * account; synth prints the command that switches it on.
   */
  readonly deliveredLog?: ILogGroup;
}

/**
 * The seven hooks of EMQX's RocketMQ plugin (rows B10–B21) as one task: what clients do, and what they publish, each to a
 * topic of its own, as JSON with the plugin's keys in their order. What AWS IoT Core cannot know is null.
 *
 * @throws InvalidOptionError at synth for a hook that would never fire, such as `message.acked`.
 */
export class RocketMqHooks extends OutflowTask<RocketMqRouteOptions> {
  constructor(scope: Construct, id: string, props: RocketMqHooksProps) {
    const { connector, hooks, encodePayloadType, node, defaults, deliveredLog, ...rest } = props;
    const { batchSize, produce, inflightWindow, syncTimeout, refreshTopicRouteInterval, autoCreateTopics, ...task } =
      rest;
    const routes = routesOf(id, hooks, { encodePayloadType, node });
    if (hooks['message.delivered'] !== undefined && deliveredLog === undefined)
      throw new InvalidOptionError(
        `${id}.deliveredLog`,
        undefined,
        `the log group of AWS IoT Core’s Publish-Out entries, which are switched on by: ${switchOn('<log group>')}`,
      );
    const sending = { batchSize, produce, inflightWindow, syncTimeout, refreshTopicRouteInterval, autoCreateTopics };
    const given = Object.fromEntries(Object.entries(sending).filter(([, value]) => value !== undefined));
    super(scope, id, {
      ...task,
      source: new HooksSource(hooks, { defaults, deliveredLog }),
      // Each route names a topic of its own, so nothing goes to this one.
      sink: new RocketMqSink(connector, { topic: routes[0]!.sink.topic, ...given }),
      route: { routes, match: 'all', otherwise: 'drop' },
    });
  }
}

type HookRoute = Route<RocketMqRouteOptions & { readonly topic: string }>;

const KINDS = {
  'client.connected': CLIENT_EVENT_TYPES.connected,
  'client.disconnected': CLIENT_EVENT_TYPES.disconnected,
  'session.subscribed': CLIENT_EVENT_TYPES.subscribed,
  'session.unsubscribed': CLIENT_EVENT_TYPES.unsubscribed,
  'message.publish': PUBLISH,
  'message.delivered': DELIVERED,
} as const satisfies Partial<Record<HookEvent, string>>;

type Values = Readonly<Record<string, string | null>>;

/** How values are written. */
export interface HookValueOptions {
  readonly encodePayloadType?: 'base64' | 'plain' | undefined;
  readonly node?: string | undefined;
}

/** The value of a hook: the plugin's keys in its order (rows B11–B17, B19), each with where it comes from. */
export function hookValue(event: HookEvent, { encodePayloadType = 'base64', node }: HookValueOptions = {}): Values {
  const client = { client_id: '$.data.clientid', username: '$.data.username' };
  const place = { node: node === undefined ? null : node.replaceAll('$', '${$}'), ts: '$.data.timestamp' };
  const qos = '$.data.qos';
  switch (event) {
    case 'client.connected':
      return { ...client, ...place };
    case 'client.disconnected':
      return { ...client, reason: '$.data.reason', ...place };
    case 'session.subscribed':
    case 'session.unsubscribed':
      return { client_id: client.client_id, topic: '$.data.topic', qos, ...place };
    case 'message.publish': {
      const payload = encodePayloadType === 'base64' ? '$.data.body' : '${payload}';
      return { ...client, topic: '$.data.topic', payload, qos, ...place };
    }
    case 'message.delivered':
    case 'message.acked':
      return { ...client, from: null, topic: '$.data.topic', payload: null, qos: null, ...place };
  }
}

function routesOf(id: string, hooks: Hooks, options: HookValueOptions): HookRoute[] {
  const routes: HookRoute[] = [];
  for (const [event, list] of Object.entries(hooks) as [HookEvent, readonly FilteredHook[] | undefined][]) {
    if (list === undefined) continue;
    if (event === 'message.acked')
      throw new InvalidOptionError(
        `${id}.hooks.message.acked`,
        described('a hook'),
        'none: AWS IoT Core tells nobody of a client’s PUBACK. Have the client publish an acknowledgement of its own and ' +
          'forward that, or send by SendDirectMessage with confirmation, which waits for the PUBACK',
      );
    if (!Object.hasOwn(KINDS, event))
      throw new InvalidOptionError(`${id}.hooks`, event, `some of ${Object.keys(KINDS).join(', ')}`);
    const isOfConnection = event.startsWith('client.');
    for (const [i, { topic, filter }] of list.entries()) {
      if (isOfConnection && filter !== undefined)
        throw new InvalidOptionError(`${id}.hooks.${event}.${i}.filter`, filter, 'none: it is about no topic');
      routes.push({
        kind: KINDS[event as keyof typeof KINDS],
        ...(!isOfConnection && { topicFilter: filter ?? '#' }),
        sink: { topic, payload: hookValue(event, options) },
      });
    }
  }
  if (routes.length === 0) throw new InvalidOptionError(`${id}.hooks`, hooks, 'a hook at least');
  return routes;
}
