import type { IotMessage } from '../../lambdas/core/sql/aws/message.ts';
import { type Broker, type Publication, startBroker } from './broker/broker.ts';
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
}: StandInOptions): Promise<Broker> {
  const compiled = rules.map((rule) => ({ name: rule.name, run: compileRule(rule, targets) }));
  return startBroker({
    port,
    onError,
    async onPublish(publication) {
      const message = { ...toMessage(publication), accountId };
      const enabled = compiled.filter(({ name }) => !disabledRules?.has(name));
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
    protocol: 'MQTT',
    mqtt5: {
      contentType,
      payloadFormatIndicator,
      responseTopic,
      correlationData: correlationData === undefined ? undefined : Buffer.from(correlationData).toString('base64'),
      userProperties,
    },
  };
}
