import { gunzipSync } from 'node:zlib';
import type { CloudWatchLogsDecodedData } from 'aws-lambda';
import * as z from 'zod';
import { ENVELOPE_VERSION, type Envelope } from '../../core/envelope.ts';
import { DELIVERED } from '../../core/event-type.ts';
import { matchesTopicFilter } from '../../core/topic-filter.ts';

/** Bytes that an event may decompress to. CloudWatch Logs sends about a megabyte of entries in one event. */
const MAX_BYTES = 64 * 1024 * 1024;

const publishOut = z.object({
  eventType: z.literal('Publish-Out'),
  status: z.literal('Success'),
  clientId: z.string(),
  topicName: z.string(),
  principalId: z.string().optional(),
  sourceIp: z.string().optional(),
  traceId: z.string().optional(),
});

export interface Delivered {
  readonly envelopes: readonly Envelope[];
  /** Number of log entries that report no delivered message. */
  readonly others: number;
}

/**
 * Makes envelopes of the messages that AWS IoT Core sent to clients on matching topics, from the log entries of a CloudWatch
 * Logs subscription. The log reports neither the payload, the QoS nor the publisher. The envelope has the log entry's id, so a
 * repeated entry keeps its id.
 *
 * @param data Base64 of gzipped JSON (CloudWatch Logs, "Subscription filters with AWS Lambda").
 * @throws for any other data.
 */
export function deliveredEnvelopes(data: string, topicFilters: readonly string[]): Delivered {
  const unpacked = gunzipSync(Buffer.from(data, 'base64'), { maxOutputLength: MAX_BYTES });
  const { logEvents, messageType } = JSON.parse(unpacked.toString('utf8')) as CloudWatchLogsDecodedData;
  if (messageType === 'CONTROL_MESSAGE') return { envelopes: [], others: 0 };
  const envelopes: Envelope[] = [];
  let others = 0;
  for (const { id, timestamp, message } of logEvents) {
    const { data: entry } = publishOut.safeParse(parsed(message));
    if (entry === undefined) {
      others++;
      continue;
    }
    const { clientId, topicName, principalId, sourceIp, traceId } = entry;
    if (!topicFilters.some((filter) => matchesTopicFilter(filter, topicName))) continue;
    envelopes.push({
      v: ENVELOPE_VERSION,
      kind: DELIVERED,
      id,
      ...(traceId !== undefined && { trace: traceId }),
      topic: topicName,
      clientid: clientId,
      ...(principalId !== undefined && { principal: principalId }),
      ...(sourceIp !== undefined && { sourceip: sourceIp }),
      timestamp,
      payload: '',
    });
  }
  return { envelopes, others };
}

function parsed(message: string): unknown {
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}
