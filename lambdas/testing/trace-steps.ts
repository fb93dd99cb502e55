import type { Envelope } from '../core/envelope.ts';
import { openEnvelope } from '../core/open-envelope.ts';
import type { MqttRecord } from '../core/record.ts';
import type { TaskSpec } from '../core/spec.ts';
import { stepsOf } from '../core/steps.ts';
import { viewsOf } from '../step/step.ts';
import { compileSteps } from '../step/steps.ts';
import { numbered } from '../worker/children.ts';

/** The result of one step of a task. */
export interface StepTrace {
  /** The step's name in the spec, such as `filter`. */
  readonly step: string;
  /** Number of records after the step. */
  readonly records: number;
}

export interface Trace {
  /** The first record that the filter receives, or would receive. */
  readonly first: MqttRecord | undefined;
  /** The steps before the first one that failed. */
  readonly steps: readonly StepTrace[];
}

/** Runs the steps of a task on an envelope. It never throws. */
export async function traceSteps(spec: TaskSpec, envelope: Envelope): Promise<Trace> {
  const steps: StepTrace[] = [];
  let first: MqttRecord | undefined;
  try {
    let records = numbered(openEnvelope(envelope).records);
    first = records[0];
    for (const { name, apply } of compileSteps(stepsOf(spec), viewsOf(spec.source))) {
      const made: MqttRecord[] = [];
      for (const record of records) {
        const result = await apply(record);
        if (result !== undefined) made.push(...(Array.isArray(result) ? numbered(result) : [result as MqttRecord]));
      }
      records = made;
      if (name === 'select') first = records[0];
      steps.push({ step: name, records: records.length });
    }
  } catch {
    // The worker processes the message too, and reports why it failed.
  }
  return { first, steps };
}
