import { App, CfnOutput, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { IotTopicSource, OutflowTask, RocketMqConnector, RocketMqSink } from '../../../lib/index.ts';

/** A server that a task delivers to, by its name server or its proxy, and the certificate of its authority. */
export type Target = { readonly certificateAuthority: string } & (
  | { readonly nameServers: readonly string[] }
  | { readonly endpoints: readonly string[] }
);

/** The app that the suite of RocketMQ on LocalStack deploys: a task for each server that TARGETS names. */
const targets = JSON.parse(process.env['TARGETS']!) as Record<string, Target>;

const stack = new Stack(new App(), 'OutflowRocketMq', { env: { account: '000000000000', region: 'us-east-1' } });
const credentials = new Secret(stack, 'User', {
  generateSecretString: {
    secretStringTemplate: JSON.stringify({ accessKey: 'lambda-user' }),
    generateStringKey: 'secretKey',
    excludePunctuation: true,
  },
});
for (const [name, target] of Object.entries(targets)) {
  const { queue } = new OutflowTask(stack, name, {
    source: new IotTopicSource(`to/${name}/#`),
    sink: new RocketMqSink(new RocketMqConnector(stack, `${name}Mq`, { ...target, credentials }), {
      topic: name === 'Proxy' ? 'ByProxy' : 'Deployed',
      payload: '${payload}',
      tag: '${clientid}',
    }),
    removalPolicy: RemovalPolicy.DESTROY,
  });
  new CfnOutput(stack, `${name}Queue`, { value: queue!.queueUrl });
}
new CfnOutput(stack, 'Credentials', { value: credentials.secretArn });
