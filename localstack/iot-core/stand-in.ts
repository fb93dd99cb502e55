import type { IotMessage } from '../../lambdas/core/sql/aws/message.ts';
import { type Broker, type BrokerOptions, type Publication, startBroker } from './broker/broker.ts';
import { basicIngestRule } from './broker/limits.ts';
import { compileRule, type RuleTargets, type TopicRule } from './rules/topic-rule.ts';

export interface StandInOptions {
  readonly rules: readonly TopicRule[];
  readonly targets: RuleTargets;
  /** MQTT port on 127.0.0.1. @default - a free port */
  readonly port?: number | undefined;
  readonly accountId?: string;
  /** Names of rules that are disabled at present. */
  readonly disabledRules?: ReadonlySet<string>;
  /** Called when a rule's action and its error action fail, and for errors of the broker. */
  readonly onError: (error: Error) => void;
  /** Called when the broker ends a connection. */
  readonly onDisconnect?: BrokerOptions['onDisconnect'];
}

/**
 * Starts the stand-in for AWS IoT Core: an MQTT broker that runs topic rules.
 *
 * @throws InvalidSqlError when a rule's SQL is not supported.
 */
export async function startStandIn({
  rules,
  targets,
  port = 0,
  accountId,
  disabledRules,
  onError,
  onDisconnect,
}: StandInOptions): Promise<Broker> {
  const compiled = rules.map((rule) => ({ name: rule.name, run: compileRule(rule, targets) }));
  return startBroker({
    port,
    onError,
    ...(onDisconnect && { onDisconnect }),
    async onPublish(publication) {
      const message = { ...toMessage(publication), accountId };
      const rule = basicIngestRule(publication.topic);
      const enabled = compiled.filter(({ name }) => !disabledRules?.has(name) && (rule === undefined || name === rule));
      if (rule !== undefined && enabled.length === 0)
        onError(
          new Error(`Basic Ingest to rule ${rule}: there is no enabled rule of this name, so the message is lost`),
        );
      const results = await Promise.allSettled(enabled.map(({ run }) => run(message)));
      for (const result of results) if (result.status === 'rejected') onError(result.reason);
    },
  });
}

function toMessage({
  topic,
  payload,
  clientId,
  traceId,
  principal,
  sourceIp,
  timestamp,
  protocol,
  properties,
}: Publication): IotMessage {
  const { contentType, payloadFormatIndicator, responseTopic, correlationData, userProperties } = properties;
  return {
    topic,
    payload,
    clientId,
    traceId,
    principal,
    sourceIp,
    timestamp,
    protocol,
    mqtt5: {
      contentType,
      payloadFormatIndicator,
      responseTopic,
      correlationData: correlationData === undefined ? undefined : Buffer.from(correlationData).toString('base64'),
      userProperties,
    },
  };
}
