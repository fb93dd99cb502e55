import { App, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { IotTopicSource, KinesisSink, MqttConnector, MqttSink, MqttSource, OutflowTask } from '../../../lib/index.ts';

/**
 * The app that the suite of MQTT on LocalStack deploys. The task that receives is disabled, so that the messages stay in its queue; the
 * one that delivers takes what the suite sends to its queue.
 */
const stack = new Stack(new App(), 'OutflowMqtt', { env: { account: '000000000000', region: 'us-east-1' } });
const plant = new MqttConnector(stack, 'Plant', { server: process.env['BROKER']! });
const { queue, node } = new OutflowTask(stack, 'Inbound', {
  source: new MqttSource(plant, { topics: ['in/#'] }),
  sink: new KinesisSink('nowhere', { partitionKey: '${topic}' }),
  enabled: false,
  removalPolicy: RemovalPolicy.DESTROY,
});
new CfnOutput(stack, 'Queue', { value: queue!.queueUrl });
const alias = node.findChild('SessionsLive').node.defaultChild as unknown as { readonly ref: string };
new CfnOutput(stack, 'Sessions', { value: alias.ref });
const outgoing = new OutflowTask(stack, 'Outgoing', {
  source: new IotTopicSource('t/#'),
  sink: new MqttSink(plant, { topic: 'out/${topic}', payload: '${payload}' }),
  removalPolicy: RemovalPolicy.DESTROY,
});
new CfnOutput(stack, 'OutgoingQueue', { value: outgoing.queue!.queueUrl });
