import { type Duration, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { isRendered } from '../../lambdas/core/jsonpath/expression.ts';
import { ROCKETMQ_ROUTED, rocketMqOptions } from '../../lambdas/deliver/rocketmq/config.ts';
import type { OptionAdvice } from '../advice.ts';
import { CONNECTOR_ADVICE, type RocketMqConnector } from '../connector/rocketmq-connector.ts';
import type { Route } from '../route.ts';
import type { ISink, SinkConfig } from './sink.ts';

/**
 * What a message becomes. Each text is a template over the rule output (`${clientid}`), or, when it begins with `$.` or `$[`,
 * a JSONPath over the event (`$.data.body.id`). A JSONPath that finds nothing leaves key, tag, property, group and delay
 * out; a payload or topic that it does not find sends the message to the dead-letter queue.
 */
export interface RocketMqMessageProps {
  /**
   * What the message holds; `${payload}` forwards the original bytes (rows A23, D13). An object is written as JSON, each value
   * a template, a JSONPath or a constant: what a JSONPath finds keeps its type, and is null where it finds nothing.
   *
   * @default - the whole rule output as JSON
   */
  readonly payload?: string | Readonly<Record<string, string | number | boolean | null>>;
  /**
   * By which it is found: one key, several with spaces between them, or a JSONPath that finds a list; '' for none (rows A9, D15).
   *
   * @default - the message's id, which its duplicates share
   */
  readonly key?: string;
  /**
   * By which consumers filter: not blank, no `|` (rows A9, D16).
   *
   * @default - none
   */
  readonly tag?: string;
  /**
   * A JSONPath that finds an object, such as `$.data.userProperties`, or a text for each name. Values that are no texts become
   * JSON; names that RocketMQ keeps for itself are refused, and of user properties KEYS and TAGS are left out (row D14).
   *
   * @default - none
   */
  readonly properties?: string | Readonly<Record<string, string>>;
}

export interface RocketMqSinkProps extends RocketMqMessageProps {
  /** 1 to 127 letters, digits, `_`, `-`, `%` and `|` once rendered, namespace included (row A9). */
  readonly topic: string;
  /**
   * Messages of one group go to one queue, in the order in which they are sent. To keep the order of publishers, use a
   * `StreamBuffer` with it: a `QueueBuffer` has none.
   *
   * @default - any queue, no order
   */
  readonly messageGroup?: string;
  /**
   * Level 1 to 18, by the broker's settings 1 s, 5 s, 10 s, 30 s, 1 to 10 min, 20 min, 30 min, 1 h, 2 h; 0 is at once. A delayed
   * message is sent alone. By name servers only: with `endpoints`, use `deliverAt`.
   *
   * @default - at once
   */
  readonly delayLevel?: number | string;
  /**
   * When consumers get it, in milliseconds since 1970; brokers of version 5 only. With `endpoints`, not beside `messageGroup`.
   *
   * @default - at once
   */
  readonly deliverAt?: string;
  /**
   * Messages of one send, 1 to 10,000 (row B7). By name servers only: a proxy takes one a send.
   *
   * @default 100
   */
  readonly batchSize?: number;
  /**
   * `sync` sends one batch after the other, `async` up to `inflightWindow` at a time; both wait for the broker's answers (rows A10,
   * B5). By name servers only: with `endpoints`, `inflightWindow: 1` sends one message after the other.
   *
   * @default 'sync'
   */
  readonly produce?: 'sync' | 'async';
  /**
   * Sends under way at a time in one running function, by name servers with `produce: 'async'`: 1 to 1,000.
   *
   * @default 16 batches by name servers, 64 messages by proxies
   */
  readonly inflightWindow?: number;
  /**
   * Longest that one send may take with all its attempts, 100 ms to 30 s (row B6).
   *
   * @default Duration.seconds(3)
   */
  readonly syncTimeout?: Duration;
  /**
   * A topic's route that is older is asked for anew before it is used (row B4). By name servers only: by proxies it is after five
   * minutes, and after failures.
   *
   * @default Duration.seconds(5)
   */
  readonly refreshTopicRouteInterval?: Duration;
  /**
   * Bytes that a payload may have; what is larger goes to the dead-letter queue. The broker's own limit is found out, too.
   *
   * @default 4128768
   */
  readonly maxMessageBytes?: number;
  /**
   * Let brokers that do so create topics with their first message. By name servers only: by proxies no topic comes about by itself.
   *
   * @default true
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

/** Ready-made mappings of messages, to be spread into the props of a sink. */
export const RocketMqMapping = {
  /** As an outflow task of ApsaraMQ for MQTT maps them (rows D13–D16). */
  apsaraMq(): RocketMqMessageProps {
    return {
      payload: '$.data.body',
      properties: '$.data.userProperties',
      key: '$.data.systemProperties.KEYS',
      tag: '$.data.systemProperties.TAGS',
    };
  },
} as const;

/** Apache RocketMQ 4 and 5 (rows A1–A30, B3–B7, D12–D16). */
export class RocketMqSink implements ISink<RocketMqRouteOptions> {
  readonly type = 'rocketmq';
  readonly options = rocketMqOptions;
  readonly spec: object;
  readonly routed: readonly (keyof RocketMqRouteOptions)[] = ROCKETMQ_ROUTED;
  readonly deployTime = ['topic', 'nameServers', 'endpoints'];
  readonly advice = ADVICE;
  readonly #connector: RocketMqConnector;
  readonly #topic: string;

  constructor(connector: RocketMqConnector, props: RocketMqSinkProps) {
    const { syncTimeout, refreshTopicRouteInterval, ...options } = props;
    this.#connector = connector;
    this.#topic = props.topic;
    this.spec = {
      type: 'rocketmq',
      ...connector.spec,
      ...options,
      ...(syncTimeout && { syncTimeoutMs: syncTimeout.toMilliseconds() }),
      ...(refreshTopicRouteInterval && { refreshTopicRouteIntervalMs: refreshTopicRouteInterval.toMilliseconds() }),
    };
  }

  bind(_: Construct, routes: readonly Route<RocketMqRouteOptions>[]): SinkConfig {
    const own = { topic: this.#topic };
    const topics = new Set(
      (routes.length === 0 ? [{ sink: own }] : routes).map(({ sink }) => ({ ...own, ...sink }).topic),
    );
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
}
