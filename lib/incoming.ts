import { type IMetric, MathExpression, Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** The parts of a task that messages reach first. */
export interface IncomingParts {
  readonly queue: IQueue | undefined;
  readonly stream: IStream | undefined;
  readonly rules: readonly CfnTopicRule[];
}

/**
 * The metric of what reaches a task, by the service that has it anyway, at no price: `NumberOfMessagesSent` of the buffer's queue,
 * `IncomingRecords` of its stream, or without a buffer `TopicMatch` of the rules (AWS IoT Core, "AWS IoT metrics and dimensions").
 */
export function incomingMetric(
  scope: Construct,
  { queue, stream, rules }: IncomingParts,
  options: MetricOptions = {},
): IMetric {
  const all = { label: 'Incoming', statistic: Stats.SUM, ...options };
  if (queue !== undefined) return queue.metricNumberOfMessagesSent(all);
  if (stream !== undefined) return stream.metricIncomingRecords(all);
  const matches = rules.map((rule) =>
    new Metric({
      namespace: 'AWS/IoT',
      metricName: 'TopicMatch',
      dimensionsMap: { RuleName: rule.ref },
      ...all,
    }).attachTo(scope),
  );
  if (matches.length === 1) return matches[0]!;
  const { label, period, color } = all;
  return new MathExpression({
    // A rule without messages has no values, and a sum with a missing value has none either.
    expression: matches.map((_, i) => `FILL(m${i}, 0)`).join(' + '),
    usingMetrics: Object.fromEntries(matches.map((metric, i) => [`m${i}`, metric])),
    label,
    ...(period !== undefined && { period }),
    ...(color !== undefined && { color }),
  });
}
