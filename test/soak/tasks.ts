import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import type { DeadLetterCode } from '../../lambdas/core/errors.ts';
import {
  type EventPattern,
  IotTopicSource,
  KinesisSink,
  OutflowTask,
  type OutflowTaskProps,
  RetryPolicy,
} from '../../lib/index.ts';
import { type Stack as ReadStack, readAssembly } from '../../localstack/one-process/assembly.ts';
import type { Profile } from './publication.ts';
import { shorten } from './rig.ts';

/** A task of the soak, and what is known of it beforehand. */
export interface SoakTask extends Profile {
  readonly stream: string;
  /** Error codes of DLQ messages that an injected fault explains. */
  readonly reasons: readonly DeadLetterCode[];
}

const MAX_RECORD_BYTES = 4096;
const ALL_OF_IT = '${payload}';
const OUT_OF_IT = '{"id":"${payload.id}","temp":${payload.temp}}';
const aboveTwenty: EventPattern = { data: { body: { temp: [{ numeric: ['>', 20] }] } } };

type Declared = Omit<OutflowTaskProps, 'source' | 'sink'> & {
  readonly payload: string;
  readonly reasons: readonly DeadLetterCode[];
};

const DECLARED: Readonly<Record<string, Declared>> = {
  Backoff: {
    payload: ALL_OF_IT,
    retryPolicy: RetryPolicy.custom({ steps: [{ times: 3, delay: Duration.seconds(1), upTo: Duration.seconds(3) }] }),
    batchPush: { messages: 100, interval: Duration.seconds(1) },
    reasons: ['RETRIES_EXHAUSTED', 'CRASHED'],
  },
  Prohibited: {
    payload: ALL_OF_IT,
    retryPolicy: RetryPolicy.custom({ steps: [{ times: 2, delay: Duration.seconds(1) }] }),
    faultTolerance: 'prohibited',
    poison: 'deadLetter',
    reasons: ['CRASHED'],
  },
  Expiring: {
    payload: OUT_OF_IT,
    retryPolicy: RetryPolicy.exponentialDecay(),
    requestTtl: Duration.seconds(20),
    batchPush: { messages: 20, interval: Duration.seconds(1) },
    reasons: ['EXPIRED', 'CRASHED'],
  },
  Filtered: {
    payload: OUT_OF_IT,
    filter: aboveTwenty,
    retryPolicy: RetryPolicy.custom({ steps: [{ times: 30, delay: Duration.seconds(2) }] }),
    batchPush: { messages: 3, interval: Duration.seconds(0) },
    reasons: ['RETRIES_EXHAUSTED', 'CRASHED'],
  },
  Checked: {
    payload: ALL_OF_IT,
    filter: aboveTwenty,
    retryPolicy: RetryPolicy.none(),
    reasons: ['RETRIES_EXHAUSTED', 'CRASHED'],
  },
};

/** Where a task's messages are published. */
export function topicOf(task: string, client: string): string {
  return `soak/${task}/${client}`;
}

/** Synthesizes the tasks as an app of their own. */
export function synthesizeTasks(): { readonly tasks: readonly SoakTask[]; readonly stacks: readonly ReadStack[] } {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-soak-')) });
  const stack = new Stack(app, 'Soak');
  const tasks = Object.entries(DECLARED).map(([task, { payload, reasons, ...props }]): SoakTask => {
    const stream = `soak-${task}`;
    const declared = new OutflowTask(stack, task, {
      source: new IotTopicSource(topicOf(task, '+')),
      sink: new KinesisSink(new Stream(stack, `${task}Stream`, { streamName: stream }), {
        partitionKey: '${clientid}',
        payload,
        maxRecordBytes: MAX_RECORD_BYTES,
      }),
      ...props,
    });
    shorten(declared, { timeoutSeconds: 30 });
    return {
      task,
      stream,
      reasons,
      filters: props.filter !== undefined,
      delivers: payload === ALL_OF_IT ? 'payload' : 'temp',
      maxRecordBytes: MAX_RECORD_BYTES,
    };
  });
  return { tasks, stacks: readAssembly(app.synth().directory) };
}
