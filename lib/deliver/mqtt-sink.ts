import type { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import '../../lambdas/core/jsonpath/every-path.ts';
import { MQTT_ROUTED, mqttOptions } from '../../lambdas/deliver/mqtt/config.ts';
import { mqttConnection } from '../../lambdas/net/mqtt/options.ts';
import type { OptionAdvice } from '../advice.ts';
import { MQTT_CONNECTOR_ADVICE, type MqttConnector } from '../connector/mqtt-connector.ts';
import { checkOption, DURATION, MQTT_CONNECTOR, OBJECT, required } from '../props.ts';
import type { Route } from '../route.ts';
import { type MqttMessageProps, mqttMessageSpec } from './mqtt-message.ts';
import type { ISink, SinkConfig } from './sink.ts';
import { checkTopicList, namedTopics } from './topic-list.ts';

export interface MqttSinkProps extends MqttMessageProps {
  /**
   * Topic: a template such as `pub/${topic}`, or a JSONPath. A topic that a message renders has no wildcards, and no `$` at its
   * beginning; another one is a dead letter with INVALID_TARGET.
   */
  readonly topic: string;
  /**
   * The topics that a template or JSONPath in `topic`, of the sink or of a route, may render: names, and prefixes that end with `*`,
   * such as `plant/*`.
   *
   * @default - required if a topic begins with a placeholder; otherwise all topics but those that begin with `$`
   */
  readonly topics?: readonly string[];
  /**
   * Maximum of messages in flight per connection, 1 to 65,535. The Receive Maximum of an MQTT 5 broker lowers it.
   *
   * @default 100
   */
  readonly inflightWindow?: number;
  /**
   * Maximum duration until the broker acknowledges a message, 100 ms to 30 s.
   *
   * @default Duration.seconds(5)
   */
  readonly publishTimeout?: Duration;
  /**
   * Maximum of bytes per payload, up to 16 MiB. A larger message, or one that exceeds the Maximum Packet Size of an MQTT 5 broker, goes
   * to the dead-letter queue.
   *
   * @default 16777216
   */
  readonly maxMessageBytes?: number;
}

/** Options of a {@link MqttSink} that a route can override. */
export type MqttRouteOptions = Partial<MqttMessageProps & Pick<MqttSinkProps, 'topic'>>;

/** Names in EMQX's MQTT sink. */
const ADVICE: OptionAdvice = [
  ...MQTT_CONNECTOR_ADVICE.map(([name, instead]) => [name, `${instead}, of the MqttConnector`] as const),
  [/^(message|payload)?template$/, 'payload, a template; a blank one forwards the whole rule output'],
  [/^(remote|local)topic$/, 'topic of the sink; the topics that the task reads are those of its source'],
  [/^(max)?inflight/, 'inflightWindow of the sink'],
  [/timeout$/, 'publishTimeout of the sink, and requestTtl of the task'],
];

/** An MQTT broker. */
export class MqttSink implements ISink<MqttRouteOptions> {
  readonly type = 'mqtt';
  readonly options = mqttOptions;
  readonly spec: object;
  readonly routed: readonly string[] = MQTT_ROUTED;
  readonly deployTime = ['topic', 'server'];
  readonly advice = ADVICE;
  readonly needsShards: number | undefined;
  readonly #connector: MqttConnector;
  readonly #topic: string;
  readonly #topics: readonly string[] | undefined;

  constructor(connector: MqttConnector, props: MqttSinkProps) {
    checkOption('MqttSink.connector', connector, required(MQTT_CONNECTOR));
    checkOption('MqttSink.props', props, required(OBJECT));
    checkOption('MqttSink.publishTimeout', props.publishTimeout, DURATION);
    for (const name of [...Object.keys(mqttConnection), 'poolSize', 'staticClientIds'])
      if (Object.hasOwn(props, name))
        throw new InvalidOptionError(
          `MqttSink.${name}`,
          described('a value'),
          'none; the MqttConnector has this option',
        );
    const { publishTimeout, ...options } = props;
    this.#connector = connector;
    this.#topic = props.topic;
    this.#topics = props.topics;
    this.needsShards = connector.staticClientIds?.length;
    this.spec = {
      type: 'mqtt',
      ...connector.spec,
      poolSize: connector.poolSize,
      ...(connector.staticClientIds && { staticClientIds: connector.staticClientIds }),
      ...mqttMessageSpec('MqttSink', options),
      ...(publishTimeout && { publishTimeoutMs: publishTimeout.toMilliseconds() }),
    };
  }

  routeSpec(overrides: MqttRouteOptions): object {
    return mqttMessageSpec('MqttSink', overrides);
  }

  bind(scope: Construct, routes: readonly Route<MqttRouteOptions>[]): SinkConfig {
    const named = namedTopics(this.#topic, routes);
    checkTopicList(`${scope.node.id}.sink.topics`, this.#topics, named, routes);
    const [topic] = named.literal;
    const isOne = named.literal.length === 1 && named.rendered.length === 0;
    const connector = this.#connector;
    if (connector.staticClientIds !== undefined) claimClientIds(`${scope.node.id}.sink`, connector, scope);
    return {
      targetArn: `${connector.address}/${isOne ? topic : '*'}`,
      environment: connector.environment,
      network: connector.network,
      grantDeliver: (worker) => connector.grantConnect(worker),
    };
  }
}

const claimed = new WeakMap<MqttConnector, Construct>();

/** @throws InvalidOptionError for a second task: its connections would have the client ids of the first. */
function claimClientIds(option: string, connector: MqttConnector, task: Construct): void {
  const other = claimed.get(connector);
  if (other !== undefined)
    throw new InvalidOptionError(
      option,
      described(`the connector of ${other.node.path}, which has staticClientIds`),
      'a connector of its own: two tasks would connect with the same client ids',
    );
  claimed.set(connector, task);
}
