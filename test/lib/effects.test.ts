import { App, Stack } from 'aws-cdk-lib';
import { Stream } from 'aws-cdk-lib/aws-kinesis';
import { expect, it } from 'vitest';
import { IotTopicSource, KinesisSink, OutflowTask, type OutflowTaskProps } from '../../lib/index.ts';
import { readAssembly, readSpec } from '../../localstack/one-process/assembly.ts';

/** A task's functions, rules, mappings and spec as they would be deployed. */
function deployed(props: Partial<OutflowTaskProps>) {
  const app = new App();
  const stack = new Stack(app, 'Plant');
  new OutflowTask(stack, 'Telemetry', {
    source: new IotTopicSource('devices/+/telemetry'),
    sink: new KinesisSink(new Stream(stack, 'Stream'), { partitionKey: '${clientid}' }),
    ...props,
  });
  const [read] = readAssembly(app.synth().directory);
  const resources = read!.template.Resources!;
  const worker = resources[read!.tasks[0]!.worker!]!;
  const mappings = Object.values(resources)
    .filter(({ Type, Properties }) => Type === 'AWS::Lambda::EventSourceMapping' && Properties!['FunctionName'])
    .map(
      ({ Properties }) =>
        (Properties!['ScalingConfig'] as { MaximumConcurrency: number } | undefined)?.MaximumConcurrency,
    );
  return { worker, resources, mappings, spec: readSpec(read!, worker) as Record<string, unknown> };
}

it('rateLimit: all the functions that may run at a time keep to it together', () => {
  const { spec, mappings } = deployed({ rateLimit: 100, maxConcurrency: 8 });
  const functions = mappings.reduce((sum: number, concurrency) => sum + (concurrency ?? 0), 0);
  expect(functions).toBeGreaterThanOrEqual(8);
  expect(Number(spec['recordsPerSecond']) * functions).toBeCloseTo(100);
});

it('description: the worker and the rules have it, after the task’s name', () => {
  const { worker, resources } = deployed({ description: 'readings of the boiler' });
  const rule = Object.values(resources).find(({ Type }) => Type === 'AWS::IoT::TopicRule')!;
  const described = 'Outflow task Telemetry: readings of the boiler';
  expect(worker.Properties).toMatchObject({ Description: described });
  expect(rule.Properties).toMatchObject({ TopicRulePayload: { Description: expect.stringContaining(described) } });
});

it('logLevel: the worker reads it from its spec', () => {
  expect(deployed({ logLevel: 'warn' }).spec['logLevel']).toBe('warn');
  expect(deployed({}).spec['logLevel']).toBe('info');
});
