import type { CloudWatchLogsEvent } from 'aws-lambda';
import { sqsApi } from '../../buffer/sqs/on-demand-api.ts';
import { QUEUE_URL, readVariable, TOPIC_FILTERS } from '../../core/environment.ts';
import { forward } from './forward.ts';

const queueUrl = readVariable(process.env, QUEUE_URL);
const topicFilters: string[] = JSON.parse(readVariable(process.env, TOPIC_FILTERS));
const api = sqsApi();
const log = (entry: object) => void process.stdout.write(`${JSON.stringify(entry)}\n`);

/** Forwards the messages that AWS IoT Core logs as sent to clients, for the hook `message.delivered`. */
export async function handler(event: CloudWatchLogsEvent): Promise<void> {
  await forward(event, { api, queueUrl, topicFilters, log });
}
