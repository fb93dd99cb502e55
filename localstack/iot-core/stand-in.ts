import type { IotMessage } from '../../lambdas/core/sql/aws/message.ts';
import { type Broker, type Publication, startBroker } from './broker/broker.ts';
import { compileRule, type RuleTargets, type TopicRule } from './rules/topic-rule.ts';

export interface StandInOptions {
  readonly rules: readonly TopicRule[];
  readonly targets: RuleTargets;
  /** @default a free one */
  readonly port?: number | undefined;
  readonly accountId?: string;
  /** Rules that are switched off for now, by name. */
  readonly switchedOff?: ReadonlySet<string>;
  /** Hears of rules that could neither act nor run their error action, and of the broker's own errors. */
  readonly onError: (error: Error) => void;
}

/**
 * Stands in for AWS IoT Core where there is none: a broker, and the topic rules of a template.
 *
 * @throws InvalidSqlError when a rule's SQL is not understood.
 */
export async function startStandIn({
  rules,
  targets,
  port = 0,
  accountId,
  switchedOff,
  onError,
}: StandInOptions): Promise<Broker> {
  const running = rules.map((rule) => ({ name: rule.name, run: compileRule(rule, targets) }));
  return startBroker({
    port,
    onError,
    async onPublish(publication) {
      const message = { ...toMessage(publication), accountId };
      const on = running.filter(({ name }) => !switchedOff?.has(name));
      const results = await Promise.allSettled(on.map(({ run }) => run(message)));
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
