import { decodeEnvelope } from '../core/envelope.ts';
import { readBody } from '../core/event.ts';
import { openEnvelope } from '../core/open-envelope.ts';
import type { MqttRecord } from '../core/record.ts';
import type { TaskSpec } from '../core/spec.ts';
import { stepsOf } from '../core/steps.ts';
import type { Render } from '../deliver/sink.ts';
import { type Records, viewsOf } from '../step/step.ts';
import { compileSteps } from '../step/steps.ts';
import { numbered } from './children.ts';
import type { BufferMessage, Progress } from './message.ts';
import { asNeverRetry } from './unexpected-error.ts';

/** Takes a message from decode to render and records how far it came. Waits only for steps that wait. @throws NeverRetry */
export type Pipeline<Request> = (message: BufferMessage, progress: Progress<Request>) => void | Promise<void>;

export function newProgress<Request>(): Progress<Request> {
  return { stage: 'decode', children: [] };
}

/** Takes every message of a batch through the pipeline; those whose steps wait do so at the same time. It never throws. */
export async function prepare<Request>(
  messages: readonly BufferMessage[],
  pipeline: Pipeline<Request>,
): Promise<Progress<Request>[]> {
  const waiting: Promise<void>[] = [];
  const progresses = messages.map((message) => {
    const progress = newProgress<Request>();
    try {
      const pending = pipeline(message, progress);
      if (pending !== undefined) waiting.push(pending.catch((error) => fail(progress, error)));
    } catch (error) {
      fail(progress, error);
    }
    return progress;
  });
  if (waiting.length > 0) await Promise.all(waiting);
  return progresses;
}

function fail(progress: Progress<unknown>, error: unknown): void {
  progress.error = asNeverRetry(error, progress.stage);
}

/**
 * Compiles decode → steps → render.
 *
 * @param renders One for each route of the task; one alone where it has no routes.
 * @param compile Compiles the task's steps; tests hand in steps that the table lacks.
 */
export function compilePipeline<Request>(
  spec: TaskSpec,
  renders: readonly Render<Request>[],
  compile: typeof compileSteps = compileSteps,
): Pipeline<Request> {
  const views = viewsOf(spec.source);
  const steps = compile(stepsOf(spec), views);

  /** Takes a record through the steps from a place on, as far as none of them waits. */
  function run(record: MqttRecord, from: number, progress: Progress<Request>): void | Promise<void> {
    for (let place = from; place < steps.length; place++) {
      const { stage, apply } = steps[place]!;
      progress.stage = stage;
      const made = apply(record);
      if (made === undefined) return;
      if (made instanceof Promise) return made.then((records) => runAll(records, place + 1, progress));
      if (!isOne(made)) return runAll(made, place + 1, progress);
      record = made;
    }
    progress.stage = 'render';
    const render = renders[record.route ?? 0]!;
    progress.children.push({
      id: record.id,
      request: render(views.ruleOutput(record), views.event(record), record.envelope),
    });
  }

  // One after the other, so that a stage that fails is the one that `progress` names.
  function runAll(made: Records, from: number, progress: Progress<Request>): void | Promise<void> {
    const records = made === undefined ? [] : isOne(made) ? [made] : numbered(made);
    for (let n = 0; n < records.length; n++) {
      const pending = run(records[n]!, from, progress);
      if (pending !== undefined) return continueWith(pending, records, n + 1, from, progress);
    }
  }

  async function continueWith(
    pending: Promise<void>,
    records: readonly MqttRecord[],
    next: number,
    from: number,
    progress: Progress<Request>,
  ): Promise<void> {
    await pending;
    for (const record of records.slice(next)) await run(record, from, progress);
  }

  return (message, progress) => {
    progress.envelope = decodeEnvelope(message.body, { messageId: message.id, sentAt: message.sentAt });
    const { envelope, records } = openEnvelope(progress.envelope);
    progress.envelope = envelope;
    if (spec.validatePayload) {
      for (const record of records)
        void readBody(record, record.clientEvent === undefined ? spec.source.dataFormat : 'json');
    }
    return runAll(records, 0, progress);
  };
}

function isOne(made: MqttRecord | readonly MqttRecord[]): made is MqttRecord {
  return !Array.isArray(made);
}
