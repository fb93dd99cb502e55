import type { CloudWatchLogsEvent } from 'aws-lambda';
import type { SqsApi } from '../../buffer/sqs/api.ts';
import { sendAll } from '../../buffer/sqs/send-batch.ts';
import { deliveredEnvelopes } from './entries.ts';

export interface ForwardOptions {
  readonly api: SqsApi;
  /** URL of the task's queue. */
  readonly queueUrl: string;
  readonly topicFilters: readonly string[];
  readonly log: (entry: object) => void;
}

/**
 * Sends the messages that log entries report as delivered to a task's queue.
 *
 * @throws when the queue has not stored all of them. AWS Lambda then invokes the function again with the same entries.
 */
export async function forward({ awslogs }: CloudWatchLogsEvent, options: ForwardOptions): Promise<void> {
  const { topicFilters, log } = options;
  const { envelopes, others } = deliveredEnvelopes(awslogs.data, topicFilters);
  if (others > 0) log({ event: 'log entries without a delivered message', count: others });
  const entries = envelopes.map((envelope) => ({ MessageBody: JSON.stringify(envelope) }));
  const stored = await sendAll(entries, { ...options, what: 'delivered message' });
  const missing = stored.filter((isStored) => !isStored).length;
  if (missing > 0) throw new Error(`${missing} of ${stored.length} messages were not stored in the queue`);
}
