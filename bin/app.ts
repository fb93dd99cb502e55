import { App, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import { IotTopicSource, KinesisSink, OutflowTask } from '../lib/index.ts';

/** The example stacks; `cdk.json` names this file. */
export const app = new App();

// The example of EMQX's Kinesis data bridge: rule `SELECT * FROM "t/#"`, payload template `${payload}`.
const hello = new Stack(app, 'OutflowHello', {
  description: 'MQTT messages on t/# become records of a Kinesis stream',
});
const stream = new Stream(hello, 'MyStream', {
  streamMode: StreamMode.ON_DEMAND,
  encryption: StreamEncryption.MANAGED,
  removalPolicy: RemovalPolicy.DESTROY,
});
const task = new OutflowTask(hello, 'Hello', {
  source: new IotTopicSource('t/#'),
  sink: new KinesisSink(stream, { partitionKey: '${clientid}', payload: '${payload}' }),
  removalPolicy: RemovalPolicy.DESTROY,
});
new CfnOutput(hello, 'StreamName', { value: stream.streamName });
new CfnOutput(hello, 'DeadLetterQueueUrl', { value: task.deadLetterQueue.queueUrl });
