import type { CloudWatchLogsEvent } from 'aws-lambda';
import type { SqsApi } from '../../buffer/sqs/api.ts';
import { sendAll } from '../../buffer/sqs/send-batch.ts';
import { deliveredEnvelopes } from './entries.ts';

export interface ForwardOptions {
  readonly api: SqsApi;
  /** The task's queue. */
  readonly queueUrl: string;
  readonly topicFilters: readonly string[];
  readonly log: (entry: object) => void;
}

/** Puts what clients were sent, as a log tells it, into a task's queue. @throws when not all of it is safely there: AWS Lambda then brings it again. */
export async function forward({ awslogs }: CloudWatchLogsEvent, options: ForwardOptions): Promise<void> {
  const { topicFilters, log } = options;
  const { envelopes, others } = deliveredEnvelopes(awslogs.data, topicFilters);
  if (others > 0) log({ event: 'log entries that tell of nothing delivered', count: others });
  const entries = envelopes.map((envelope) => ({ MessageBody: JSON.stringify(envelope) }));
  const stored = await sendAll(entries, { ...options, what: 'delivered message' });
  const missing = stored.filter((isStored) => !isStored).length;
  if (missing > 0) throw new Error(`${missing} of ${stored.length} messages could not be put into the queue`);
}
