import { type Duration, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import '../../lambdas/core/jsonpath/every-path.ts';
import { isJsonPath, isRendered } from '../../lambdas/core/jsonpath/expression.ts';
import { parseTemplate } from '../../lambdas/core/template/parse.ts';
import { ROCKETMQ_ROUTED, rocketMqOptions } from '../../lambdas/deliver/rocketmq/config.ts';
import type { OptionAdvice } from '../advice.ts';
import { CONNECTOR_ADVICE, type RocketMqConnector } from '../connector/rocketmq-connector.ts';
import { CONNECTOR, checkOption, DURATION, OBJECT, required } from '../props.ts';
import type { Route } from '../route.ts';
import type { ISink, SinkConfig } from './sink.ts';

/**
 * The parts of a RocketMQ message. Each text is a template over the rule output (`${clientid}`) or, if it begins with `$.` or `$[`, a
 * JSONPath over the event (`$.data.body.id`). If the JSONPath of a key, tag, property, group or delay has no match, the message has no
 * such part; if that of a payload or topic has no match, the message goes to the dead-letter queue.
 */
export interface RocketMqMessageProps {
  /**
   * The message body. `${payload}` forwards the original bytes. An object becomes JSON; each of its values is a template, a JSONPath
   * or a constant. The match of a JSONPath keeps its type, and is null if there is none.
   *
   * @default - the whole rule output as JSON
   */
  readonly payload?: string | Readonly<Record<string, string | number | boolean | null>>;
  /**
   * The message keys, by which RocketMQ indexes the message: one key, several separated by spaces, or a JSONPath that finds a list;
   * `''` for none.
   *
   * @default - the message's id, which is the same for its duplicates
   */
  readonly key?: string;
  /**
   * The message tag, by which consumers filter: not blank, without `|`.
   *
   * @default - none
   */
  readonly tag?: string;
  /**
   * The message properties: a JSONPath that finds an object, such as `$.data.userProperties`, or a text per name. A value that is not a
   * string becomes JSON. Names that RocketMQ reserves are refused; KEYS and TAGS of MQTT user properties are left out.
   *
   * @default - none
   */
  readonly properties?: string | Readonly<Record<string, string>>;
}

export interface RocketMqSinkProps extends RocketMqMessageProps {
  /**
   * Topic: 1 to 127 letters, digits, `_` and `-`, with the namespace; a literal topic also `%` and `|`. Topics that RocketMQ uses
   * itself are refused.
   */
  readonly topic: string;
  /**
   * The topics that a template or JSONPath in `topic`, of the sink or of a route, may render: names, and prefixes that end with `*`,
   * such as `plant-*`. A message that renders another topic goes to the dead-letter queue with INVALID_TARGET.
   *
   * @default - required if a topic begins with a placeholder and the connector has no namespace; otherwise all topics
   */
  readonly topics?: readonly string[];
  /**
   * Message group. The messages of a group go to one message queue, in the order in which they are sent. To keep the order in which
   * clients publish, use a {@link StreamBuffer} with it.
   *
   * @default - none: the messages go to any message queue, without order
   */
  readonly messageGroup?: string;
  /**
   * Delay level, 1 to 18; by default, brokers set them to 1 s, 5 s, 10 s, 30 s, 1 to 10 min, 20 min, 30 min, 1 h and 2 h. 0 is no delay.
   * A delayed message is not batched. By name servers only; with `endpoints`, use `deliverAt`.
   *
   * @default - no delay
   */
  readonly delayLevel?: number | string;
  /**
   * Time at which consumers receive the message, in milliseconds since 1970; brokers of RocketMQ 5 only. With `endpoints`, it
   * excludes `messageGroup`.
   *
   * @default - no delay
   */
  readonly deliverAt?: string;
  /**
   * Maximum of messages per send, 1 to 10,000. By name servers only; a proxy takes one message per request.
   *
   * @default 100
   */
  readonly batchSize?: number;
  /**
   * `sync` sends one batch after another, `async` up to `inflightWindow` batches concurrently. Both wait for the broker's
   * acknowledgement. By name servers only; with `endpoints`, `inflightWindow: 1` sends one message after another.
   *
   * @default 'sync'
   */
  readonly produce?: 'sync' | 'async';
  /**
   * Maximum of concurrent sends per invocation, 1 to 1,000. By name servers, only with `produce: 'async'`.
   *
   * @default - 16 batches by name servers, 64 messages by proxies
   */
  readonly inflightWindow?: number;
  /**
   * Maximum duration of a send with its attempts, 100 ms to 30 s.
   *
   * @default Duration.seconds(3)
   */
  readonly syncTimeout?: Duration;
  /**
   * Age at which a topic route is queried again before it is used. By name servers only; by proxies, it is queried after five minutes
   * and after a failure.
   *
   * @default Duration.seconds(5)
   */
  readonly refreshTopicRouteInterval?: Duration;
  /**
   * Maximum of bytes per message body, up to 4,128,768. A message with a larger body, or one that the broker refuses for its size, goes
   * to the dead-letter queue.
   *
   * @default 4128768
   */
  readonly maxMessageBytes?: number;
  /**
   * Whether brokers with `autoCreateTopicEnable` create topics with their first message. By name servers only; a proxy never creates
   * topics.
   *
   * @default - only topics without placeholders
   */
  readonly autoCreateTopics?: boolean;
}

/** Names in EMQX's RocketMQ data bridge and in its 3.x plugin. */
const ADVICE: OptionAdvice = [
  ...CONNECTOR_ADVICE.map(([name, instead]) => [name, `${instead}, of the RocketMqConnector`] as const),
  [/^(payload)?template$/, 'payload, a template; a blank one forwards the whole rule output'],
  [/refresh/, 'refreshTopicRouteInterval of the sink, by name servers'],
  [/synctimeout$/, 'syncTimeout of the sink'],
  [/^(querymode|a?sync(mode)?|produce)$/, "produce of the sink, 'sync' or 'async', by name servers"],
  [/^(max)?inflight/, 'inflightWindow of the sink'],
  [/batchsize$/, "batchSize of the sink for the messages of one send; the task's batchPush for those of one batch"],
];

/** Options of a {@link RocketMqSink} that a route can override. */
export type RocketMqRouteOptions = Partial<
  RocketMqMessageProps & Pick<RocketMqSinkProps, 'topic' | 'messageGroup' | 'delayLevel' | 'deliverAt'>
>;

/** Ready-made message props, to spread into the props of a sink. */
export const RocketMqMapping = {
  /** The mapping of an ApsaraMQ for MQTT outflow task. */
  apsaraMq(): RocketMqMessageProps {
    return {
      payload: '$.data.body',
      properties: '$.data.userProperties',
      key: '$.data.systemProperties.KEYS',
      tag: '$.data.systemProperties.TAGS',
    };
  },
} as const;

/** Apache RocketMQ 4 and 5, and services with its protocol. */
export class RocketMqSink implements ISink<RocketMqRouteOptions> {
  readonly type = 'rocketmq';
  readonly options = rocketMqOptions;
  readonly spec: object;
  readonly routed: readonly (keyof RocketMqRouteOptions)[] = ROCKETMQ_ROUTED;
  readonly deployTime = ['topic', 'nameServers', 'endpoints'];
  readonly advice = ADVICE;
  readonly #connector: RocketMqConnector;
  readonly #topic: string;
  readonly #topics: readonly string[] | undefined;

  constructor(connector: RocketMqConnector, props: RocketMqSinkProps) {
    checkOption('RocketMqSink.connector', connector, required(CONNECTOR));
    checkOption('RocketMqSink.props', props, required(OBJECT));
    checkOption('RocketMqSink.syncTimeout', props.syncTimeout, DURATION);
    checkOption('RocketMqSink.refreshTopicRouteInterval', props.refreshTopicRouteInterval, DURATION);
    const { syncTimeout, refreshTopicRouteInterval, ...options } = props;
    this.#connector = connector;
    this.#topic = props.topic;
    this.#topics = props.topics;
    this.spec = {
      type: 'rocketmq',
      ...connector.spec,
      ...options,
      ...(syncTimeout && { syncTimeoutMs: syncTimeout.toMilliseconds() }),
      ...(refreshTopicRouteInterval && { refreshTopicRouteIntervalMs: refreshTopicRouteInterval.toMilliseconds() }),
    };
  }

  bind(scope: Construct, routes: readonly Route<RocketMqRouteOptions>[]): SinkConfig {
    const target = { topic: this.#topic };
    const topics = new Set(
      (routes.length === 0 ? [{ sink: target }] : routes).map(({ sink }) => ({ ...target, ...sink }).topic),
    );
    this.#checkTopics(`${scope.node.id}.sink.topics`, [...topics], routes);
    const [topic] = topics as Set<string>;
    const isOne = topics.size === 1 && (Token.isUnresolved(topic) || !isRendered(topic!));
    const connector = this.#connector;
    return {
      targetArn: `${connector.address}/${isOne ? topic : '*'}`,
      environment: connector.environment,
      network: connector.network,
      grantDeliver: (worker) => connector.grantConnect(worker),
    };
  }

  #checkTopics(option: string, named: readonly string[], routes: readonly Route<RocketMqRouteOptions>[]): void {
    const rendered = named.filter((topic) => !Token.isUnresolved(topic) && isRendered(topic));
    const isOpen = (topic: string) => isJsonPath(topic) || typeof parseTemplate(topic)[0] !== 'string';
    const open = this.#connector.namespace === undefined ? rendered.find(isOpen) : undefined;
    if (open !== undefined && this.#topics === undefined)
      throw new InvalidOptionError(option, undefined, `the topics that '${open}' may render, such as ['plant-*']`);
    if (rendered.length === 0 && this.#topics !== undefined && !routes.some(({ sink }) => Object.hasOwn(sink, 'topic')))
      throw new InvalidOptionError(option, this.#topics, 'none without placeholders in a topic');
  }
}
