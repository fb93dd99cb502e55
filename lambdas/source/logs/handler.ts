import type { CloudWatchLogsEvent } from 'aws-lambda';
import { sqsApi } from '../../buffer/sqs/on-demand-api.ts';
import { forward } from './forward.ts';

const { QUEUE_URL, TOPIC_FILTERS } = process.env;
const topicFilters: string[] = JSON.parse(TOPIC_FILTERS ?? '[]');
const api = sqsApi();
const log = (entry: object) => console.log(JSON.stringify(entry));

/** Reads the log of what AWS IoT Core sends to clients, for `message.delivered`. */
export async function handler(event: CloudWatchLogsEvent): Promise<void> {
  await forward(event, { api, queueUrl: QUEUE_URL!, topicFilters, log });
}
