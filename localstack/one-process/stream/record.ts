import type { _Record as ReadRecord } from '@aws-sdk/client-kinesis';
import type { KinesisStreamRecord } from 'aws-lambda';

/** The fields that all records of a shard share. */
export interface RecordOrigin {
  readonly shardId: string;
  readonly streamArn: string;
  readonly region: string;
  readonly functionName: string;
}

/** Converts a record to the shape of Lambda's event (AWS Lambda, "Using Lambda to process records from Kinesis"). */
export function toRecord(read: ReadRecord, origin: RecordOrigin): KinesisStreamRecord {
  const data = read.Data!;
  const account = origin.streamArn.split(':')[4];
  return {
    kinesis: {
      kinesisSchemaVersion: '1.0',
      partitionKey: read.PartitionKey!,
      sequenceNumber: read.SequenceNumber!,
      data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
      approximateArrivalTimestamp: read.ApproximateArrivalTimestamp!.getTime() / 1000,
    },
    eventSource: 'aws:kinesis',
    eventVersion: '1.0',
    eventID: `${origin.shardId}:${read.SequenceNumber}`,
    eventName: 'aws:kinesis:record',
    invokeIdentityArn: `arn:aws:iam::${account}:role/${origin.functionName}`,
    awsRegion: origin.region,
    eventSourceARN: origin.streamArn,
  };
}
