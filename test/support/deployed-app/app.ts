import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Stream, StreamEncryption } from 'aws-cdk-lib/aws-kinesis';
import { IotTopicSource, KinesisSink, OutflowTask, RepublishSink, StreamBuffer } from '../../../lib/index.ts';

/**
 * The app that the suites on LocalStack deploy. VERSION stands for an edit of the task between two deployments; TASKS names
 * additional tasks, so that a later deployment can remove one.
 */
const version = process.env['VERSION'] ?? 'v1';
const further = new Set(process.env['TASKS']?.split(','));

const stack = new Stack(new App(), 'OutflowTest', { env: { account: '000000000000', region: 'us-east-1' } });
const stream = new Stream(stack, 'Stream', {
  shardCount: 1,
  encryption: StreamEncryption.UNENCRYPTED,
  removalPolicy: RemovalPolicy.DESTROY,
});
const task = new OutflowTask(stack, 'Warm', {
  source: new IotTopicSource('devices/+/telemetry'),
  batchPush: { messages: 100, interval: Duration.seconds(1) },
  filter: { data: { body: { temp: [{ numeric: ['>', 20] }] } } },
  sink: new KinesisSink(stream, {
    partitionKey: '${clientid}',
    payload: `{"a":"${version}","n":\${payload.n},"b":"${version}"}`,
  }),
  // LocalStack 4.14.0 deletes what RetainExceptOnCreate, the default, keeps.
  removalPolicy: RemovalPolicy.RETAIN,
});
const hello = new OutflowTask(stack, 'Hello', {
  source: new IotTopicSource('t/#'),
  sink: new KinesisSink(stream, { partitionKey: 'key', payload: '${payload}' }),
  removalPolicy: RemovalPolicy.DESTROY,
});
new OutflowTask(stack, 'Ordered', {
  source: new IotTopicSource('ordered/#'),
  buffer: new StreamBuffer({ order: 'strict' }),
  sink: new KinesisSink(stream, { partitionKey: '${clientid}', payload: '${payload}' }),
  removalPolicy: RemovalPolicy.DESTROY,
});
new OutflowTask(stack, 'Echo', {
  source: new IotTopicSource('echo/#'),
  sink: new RepublishSink({ topic: 'sub/${topic}', payload: '${payload}' }),
  removalPolicy: RemovalPolicy.DESTROY,
});
if (further.has('Careful'))
  new OutflowTask(stack, 'Careful', {
    source: new IotTopicSource('careful/#'),
    faultTolerance: 'prohibited',
    poison: 'block',
    sink: new KinesisSink(stream, { partitionKey: 'key', payload: '{"n":${payload.n}}' }),
    removalPolicy: RemovalPolicy.DESTROY,
  });
if (further.has('Old'))
  new OutflowTask(stack, 'Old', {
    source: new IotTopicSource('old/#'),
    sink: new KinesisSink(stream, { partitionKey: 'key', payload: '${payload}' }),
    removalPolicy: RemovalPolicy.RETAIN,
  });
new CfnOutput(stack, 'StreamName', { value: stream.streamName });
for (const [name, { queue, retryQueue, deadLetterQueue, worker }] of Object.entries({ Warm: task, Hello: hello })) {
  new CfnOutput(stack, `${name}Queue`, { value: queue!.queueUrl });
  new CfnOutput(stack, `${name}RetryQueue`, { value: retryQueue!.queueUrl });
  new CfnOutput(stack, `${name}DeadLetterQueue`, { value: deadLetterQueue.queueUrl });
  new CfnOutput(stack, `${name}Worker`, { value: worker!.functionName });
}
