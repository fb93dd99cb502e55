import { App, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { KinesisSink, MqttConnector, MqttSource, OutflowTask } from '../../../lib/index.ts';

/** The app that the suite of MQTT sources on LocalStack deploys. Its task is disabled, so that the messages stay in its queue. */
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
