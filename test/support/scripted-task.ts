import type { KinesisStreamEvent, SQSEvent } from 'aws-lambda';
import * as z from 'zod';
import { compileTemplate } from '../../lambdas/core/template/template.ts';
import type { Outcome, SinkDefinition } from '../../lambdas/deliver/sink.ts';
import { createHandler } from '../../lambdas/worker/handler.ts';
import type { BatchReport } from '../../lambdas/worker/message.ts';
import type { SkippedMessages } from '../../lambdas/worker/skipped-messages.ts';
import type { Receipt } from '../../lambdas/worker/worker.ts';
import { context } from './messages.ts';
import { type QueueScript, scriptedQueues } from './task-queues.ts';

export type Script = (payload: Buffer) => Outcome;

/** A task with a scripted sink and scripted queues that record their calls. */
export function taskWith({
  deliver,
  throws,
  stores,
  keeps,
  now = () => 1_795_251_601_000,
  random,
  skipped,
  onReceipts,
  env = { RULE_ARNS: 'arn:rule/1,2', TARGET_ARN: 'arn:aws:script:::*' },
  ...spec
}: {
  deliver: Script;
  throws?: Error;
  now?: () => number;
  payload?: string;
  filter?: object;
  env?: Record<string, string>;
  random?: () => number;
  skipped?: SkippedMessages;
  onReceipts?: (receipts: readonly Receipt[]) => void;
  [option: string]: unknown;
} & QueueScript) {
  const { payload = '${payload}', ...rest } = spec;
  const delivered: Buffer[] = [];
  const batches: Buffer[][] = [];
  const reports: BatchReport[] = [];
  const queues = scriptedQueues({ ...(stores && { stores }), ...(keeps && { keeps }) });
  const definition: SinkDefinition<z.ZodType<{ type: 'script'; payload: string }>, Buffer> = {
    type: 'script',
    options: z.strictObject({ type: z.literal('script'), payload: z.string() }),
    routed: ['payload'],
    compile: (options, missingVariable) => {
      const template = compileTemplate(options.payload, { missingVariable });
      return (scope) => Buffer.from(template.render(scope));
    },
    open: () => ({
      async deliver(requests) {
        if (throws !== undefined) throw throws;
        batches.push([...requests]);
        return requests.map((request) => {
          const outcome = deliver(request);
          if (outcome?.status === 'delivered') delivered.push(request);
          return outcome;
        });
      },
      testConnectivity: async () => 'it answers',
      close() {},
    }),
    target: () => 'target',
    show: (request) => ({ request }),
  };
  const handler = createHandler(definition, {
    spec: {
      v: 1,
      task: 'Telemetry',
      source: { type: 'iot-core', filters: ['t/+', '#'] },
      sink: { type: 'script', payload },
      ...rest,
    },
    env,
    ...(random && { random }),
    ...(skipped && { skipped }),
    ...(onReceipts && { onReceipts }),
    queues,
    now,
    report: (report) => reports.push(report),
  });
  return {
    handler: (event: SQSEvent | KinesisStreamEvent) => handler(event, context),
    delivered,
    batches,
    reports,
    ...queues,
  };
}
