import type { Stage } from '../core/errors.ts';
import { eventView, type MqttEvent, type ReadOptions } from '../core/event.ts';
import type { MqttRecord } from '../core/record.ts';
import { type ClientRuleOutput, type RuleOutput, ruleOutputView } from '../core/rule-output.ts';

/** What a step makes of a record: the record, another one, several, or none when the step drops it. */
export type Records = MqttRecord | readonly MqttRecord[] | undefined;

/**
 * A step of a task, compiled. For the same record it makes the same records, in the same order: a retry delivers the children
 * that are still owed by their number. A step that needs no waiting returns no promise, so the pipeline makes none.
 *
 * @throws NeverRetry when it cannot process the record.
 */
export type Step = (record: MqttRecord) => Records | Promise<Records>;

/** The two forms in which a step reads a record. */
export interface Views {
  /** The record as event patterns and JSONPath see it; valid until the next record is viewed, so not across a wait. */
  readonly event: (record: MqttRecord) => MqttEvent;
  /** The record as templates see it, valid equally long. */
  readonly ruleOutput: (record: MqttRecord) => RuleOutput | ClientRuleOutput;
}

/** A kind of step: one file of this folder exports one of these, and the table in `steps.ts` lists it. */
export interface StepDefinition<Options> {
  /** The stage that dead letters name when the step fails. */
  readonly stage: Stage;
  compile(options: Options, views: Views): Step;
}

export function viewsOf(options: ReadOptions): Views {
  return { event: eventView(options), ruleOutput: ruleOutputView(options) };
}
