import type { CfnTopicRule } from 'aws-cdk-lib/aws-iot';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';

/** What puts messages into a task's inlet: a topic rule, or a function. Exactly one of `rule` and `function` is given. */
export interface Origin {
  /** MQTT topic filters of the messages that come from here. The filters of all origins are the spec's, in its order. */
  readonly topicFilters: readonly string[];
  /** ARN of the rule or the function; dead letters name it in RULE_ARN. */
  readonly arn: string;
  readonly rule?: CfnTopicRule;
  readonly function?: IFunction;
  /**
   * How the control function stops the origin when an operator stops the task's intake.
   *
   * @default - the origin goes on
   */
  readonly intake?: IntakeSwitch;
}

/** A resource that the control function disables, and enables again. */
export interface IntakeSwitch {
  /** List of the task's configuration that names the resource. The control function has code for each list. */
  readonly list: string;
  /** Name of the resource, only known at deployment. */
  readonly name: string;
  readonly arn: string;
  /** IAM actions of the control function on the resource; the same for all resources of a list. */
  readonly actions: readonly string[];
}

/** The topic rules among the origins, in their order. */
export function rulesOf(origins: readonly Origin[]): readonly CfnTopicRule[] {
  return origins.flatMap(({ rule }) => rule ?? []);
}
