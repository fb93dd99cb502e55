import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METADATA_KEY } from '../../lambdas/core/metadata.ts';
import { attach } from '../../localstack/deployed/attach.ts';

const QUEUE = 'http://127.0.0.1:4566/queue/eu-west-1/123456789012/plant';
const INNER = 'arn:aws:cloudformation:eu-west-1:123456789012:stack/Plant-Inner/1';
const tasks = (...names: string[]) => ({
  [METADATA_KEY]: { v: 1, tasks: names.map((task) => ({ task, sink: 'kinesis', filters: [] })) },
});
const sqs = { QueueUrl: { Ref: 'Url' }, RoleArn: 'any', UseBase64: false };

/** Templates by the name of the stack. */
const TEMPLATES: Readonly<Record<string, object>> = {
  Plant: {
    Resources: {
      Queue: { Type: 'AWS::SQS::Queue' },
      Inner: { Type: 'AWS::CloudFormation::Stack', Properties: { Parameters: { Url: { Ref: 'Queue' } } } },
    },
  },
  [INNER]: {
    Parameters: { Url: { Type: 'String' } },
    Resources: {
      Rule: {
        Type: 'AWS::IoT::TopicRule',
        Properties: { TopicRulePayload: { Sql: "SELECT * FROM 'a/#'", Actions: [{ Sqs: sqs }] } },
      },
    },
    Metadata: tasks('Telemetry'),
  },
  Inbound: { Resources: {}, Metadata: tasks('Inbound') },
  Other: { Resources: {} },
};
const RESOURCES: Readonly<Record<string, readonly (readonly [string, string, string])[]>> = {
  Plant: [
    ['Queue', QUEUE, 'AWS::SQS::Queue'],
    ['Inner', INNER, 'AWS::CloudFormation::Stack'],
  ],
  [INNER]: [['Rule', 'Plant_Rule', 'AWS::IoT::TopicRule']],
};

describe('the stand-in before deployed stacks', () => {
  const sent: object[] = [];
  const errors: Error[] = [];
  const credentials: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    credentials.push(/Credential=([^,]+)/.exec(request.headers.authorization ?? '')![1]!);
    if (request.headers['x-amz-target'] !== undefined) {
      sent.push(JSON.parse(body));
      const MD5OfMessageBody = createHash('md5').update(JSON.parse(body).MessageBody).digest('hex');
      return response.end(JSON.stringify({ MessageId: '1', MD5OfMessageBody }));
    }
    const call = new URLSearchParams(body);
    const name = call.get('StackName')!;
    const members = (RESOURCES[name] ?? []).map(
      ([logicalId, id, type]) =>
        `<member><LogicalResourceId>${logicalId}</LogicalResourceId><PhysicalResourceId>${id}</PhysicalResourceId><ResourceType>${type}</ResourceType></member>`,
    );
    const result =
      call.get('Action') === 'GetTemplate'
        ? `<TemplateBody><![CDATA[${JSON.stringify(TEMPLATES[name])}]]></TemplateBody>`
        : `<StackResourceSummaries>${members.join('')}</StackResourceSummaries>`;
    const action = call.get('Action');
    return response.end(`<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`);
  });
  const attachTo = (...stackNames: string[]) =>
    attach({
      endpointUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      environment: { account: '123456789012', region: 'eu-west-1' },
      stackNames,
      onError: (error) => errors.push(error),
    });

  beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'));
  afterAll(() => server.close());

  it('runs the rules of nested stacks, in the account and Region of the stack', async () => {
    const { broker, tasks: found, close } = await attachTo('Plant');
    expect(found.map(({ task }) => task)).toEqual(['Telemetry']);
    const device = await mqtt.connectAsync(broker.url, { clientId: 'd1' });
    await device.publishAsync('a/b', '{"n":1}', { qos: 1 });
    await device.endAsync();
    await close();
    expect(errors).toEqual([]);
    expect(sent).toEqual([{ QueueUrl: QUEUE, MessageBody: '{"n":1}' }]);
    for (const one of credentials) expect(one).toMatch(/^123456789012\/\d+\/eu-west-1\//);
  });

  it('takes a stack whose tasks have no rule, and refuses one without a task', async () => {
    const { tasks: found, close } = await attachTo('Inbound');
    expect(found.map(({ task }) => task)).toEqual(['Inbound']);
    await close();
    await expect(attachTo('Other')).rejects.toThrow(
      'stacks: got Other, which have no task; expected a stack with an OutflowTask',
    );
  });
});
