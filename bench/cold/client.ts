export { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
