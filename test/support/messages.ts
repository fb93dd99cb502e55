import type { Context, KinesisStreamEvent, SQSEvent, SQSMessageAttributes } from 'aws-lambda';
import type { Envelope } from '../../lambdas/core/envelope.ts';

/** An envelope as the rules write it, with the payload given as text or bytes. */
export function envelope(payload: string | Uint8Array = '{"temp":21.5}', over: Partial<Envelope> = {}): Envelope {
  return {
    v: 1,
    kind: 'mqtt.message.publish',
    id: '7f6cfa3c-0f2b-4f4e-9d8e-0d5a1c7b9e11',
    trace: '1c9e3f0a-6a4d-4c55-8a2e-4f1d2b3c4d5e',
    topic: 'devices/d1/telemetry',
    clientid: 'd1',
    principal: 'a1b2c3',
    sourceip: '192.0.2.7',
    timestamp: 1_795_251_600_000,
    payload: Buffer.from(payload).toString('base64'),
    formatIndicator: 'UNSPECIFIED_BYTES',
    ...over,
  };
}

/** An SQS event as Lambda hands it to a worker. */
export function sqsEvent(bodies: readonly string[]): SQSEvent {
  return {
    Records: bodies.map((body, i) => ({
      messageId: `message-${i}`,
      receiptHandle: `receipt-${i}`,
      body,
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: '1795251600100',
        SenderId: 'AROAEXAMPLE:iot',
        ApproximateFirstReceiveTimestamp: '1795251600150',
      },
      messageAttributes: {},
      md5OfBody: '',
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:telemetry',
      awsRegion: 'us-east-1',
    })),
  };
}

/** A batch of one shard as Lambda hands it to a worker. The sequence numbers count from `from`. */
export function kinesisEvent(bodies: readonly string[], from = 0): KinesisStreamEvent {
  return {
    Records: bodies.map((body, i) => ({
      eventID: `shardId-000000000000:${from + i}`,
      eventSource: 'aws:kinesis',
      eventVersion: '1.0',
      eventName: 'aws:kinesis:record',
      eventSourceARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/s',
      awsRegion: 'us-east-1',
      invokeIdentityArn: '',
      kinesis: {
        kinesisSchemaVersion: '1.0',
        partitionKey: 'k',
        sequenceNumber: `${from + i}`,
        data: Buffer.from(body).toString('base64'),
        approximateArrivalTimestamp: 1_795_251_600.1,
      },
    })),
  };
}

/** Message attributes as Lambda hands them to a worker. */
export function attributes(values: Readonly<Record<string, string | number>>): SQSMessageAttributes {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { stringValue: String(value), dataType: 'String' as const }]),
  );
}

/** A Lambda context with a minute left. */
export const context = { getRemainingTimeInMillis: () => 60_000 } as Context;
