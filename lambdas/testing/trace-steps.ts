import type { Envelope } from '../core/envelope.ts';
import { openEnvelope } from '../core/open-envelope.ts';
import type { MqttRecord } from '../core/record.ts';
import type { TaskSpec } from '../core/spec.ts';
import { stepsOf } from '../core/steps.ts';
import { viewsOf } from '../step/step.ts';
import { compileSteps } from '../step/steps.ts';
import { numbered } from '../worker/children.ts';

/** What a step of a task made of a message. */
export interface StepTrace {
  /** The step's name in the spec, such as `filter`. */
  readonly step: string;
  /** Records that came out of it. */
  readonly records: number;
}

export interface Trace {
  /** The first record that the filter sees, or would see. */
  readonly first: MqttRecord | undefined;
  /** Up to the step that failed, if one did. */
  readonly steps: readonly StepTrace[];
}

/** Takes an envelope through a task's steps, one step after the other. It never throws. */
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
    // The worker's own run of the message says why.
  }
  return { first, steps };
}
