import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, CfnParameter, Fn, NestedStack, Stack, Stage } from 'aws-cdk-lib';
import { type IStream, Stream } from 'aws-cdk-lib/aws-kinesis';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import mqtt from 'mqtt';
import { describe, expect, it, vi } from 'vitest';
import { IotTopicSource, KinesisSink, OutflowTask, type OutflowTaskProps, StreamBuffer } from '../../lib/index.ts';
import { type AssemblyOptions, readAssembly } from '../../localstack/one-process/assembly.ts';
import { run } from '../../localstack/one-process/run.ts';
import { startLocal } from '../support/local-command.ts';

const PATIENCE = { timeout: 30_000, interval: 50 };

function task(scope: Construct, stream: IStream | string, props: Partial<OutflowTaskProps> = {}): void {
  new OutflowTask(scope, 'Task', {
    source: new IotTopicSource('a/#'),
    sink: new KinesisSink(stream, { partitionKey: 'k', payload: '${payload}' }),
    ...props,
  });
}

function synthesized(declare: (app: App) => void): string {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-app-')) });
  declare(app);
  return app.synth().directory;
}

/** Runs an app, publishes one message, and returns the notes and how many messages each task delivered. */
async function deliver(declare: (app: App) => void, options?: AssemblyOptions) {
  const stacks = readAssembly(synthesized(declare), options);
  const errors: Error[] = [];
  const running = await run(stacks, { onError: (error) => errors.push(error) });
  const device = await mqtt.connectAsync(running.broker.url, { clientId: 'd', protocolVersion: 5 });
  await device.publishAsync('a/b', '{}', { qos: 1 });
  await device.endAsync();
  await running.settle();
  const outgoing = running.tasks.map(({ counters }) => counters.outgoing);
  await running.close();
  expect(errors).toEqual([]);
  return { outgoing, notes: [...new Set(stacks.flatMap(({ notes }) => [...notes]))] };
}

const own = (scope: Construct, props?: Partial<OutflowTaskProps>) => task(scope, new Stream(scope, 'Out'), props);

describe('one process runs an app', () => {
  it.each<[string, (app: App) => void]>([
    ['with stages', (app) => own(new Stack(new Stage(app, 'Prod'), 'Plant'))],
    ['with a task in a nested stack', (app) => own(new NestedStack(new Stack(app, 'Plant'), 'Nested'))],
    [
      'with a nested stack that gets its stream as a parameter',
      (app) => {
        const plant = new Stack(app, 'Plant');
        const stream = new Stream(plant, 'Out');
        task(new NestedStack(plant, 'Nested'), stream);
      },
    ],
    [
      'with a stream of a nested stack',
      (app) => {
        const plant = new Stack(app, 'Plant');
        task(plant, new Stream(new NestedStack(plant, 'Nested'), 'Out'));
      },
    ],
    [
      'with a stream of another stack',
      (app) => task(new Stack(app, 'Plant'), new Stream(new Stack(app, 'Other'), 'Out')),
    ],
    [
      'with keys',
      (app) => {
        const plant = new Stack(app, 'Plant');
        const encryptionKey = new Key(plant, 'Key');
        const stream = new Stream(plant, 'Out', { encryptionKey });
        task(plant, stream, { encryptionKey, buffer: new StreamBuffer() });
      },
    ],
  ])('%s', async (_, declare) => {
    expect(await deliver(declare)).toEqual({ outgoing: [1], notes: [] });
  });

  it('with resources of other accounts, and reports what takes their place', async () => {
    const arn = (service: string, name: string) => `arn:aws:${service}:us-east-1:000000000000:${name}`;
    const { outgoing, notes } = await deliver((app) => {
      const plant = new Stack(app, 'Plant');
      const stream = Stream.fromStreamArn(plant, 'Imported', arn('kinesis', 'stream/imported'));
      task(plant, stream, { deadLetterQueue: Queue.fromQueueArn(plant, 'Dead', arn('sqs', 'dead')) });
      task(new Stack(app, 'Other'), Fn.importValue('OtherStream'));
    });
    expect(outgoing).toEqual([1, 1]);
    expect(notes.sort()).toEqual([
      'no stack of this app exports OtherStream: that name takes the place of its value',
      'queue dead is not in this app: an empty one with the defaults of SQS takes its place',
      'stream OtherStream is not in this app: an empty one takes its place',
      'stream imported is not in this app: an empty one takes its place',
    ]);
  });

  it('with parameters: a default, or the given value; without both, an error names the option', async () => {
    const declare = (props?: { default: string }) => (app: App) => {
      const plant = new Stack(app, 'Plant');
      task(plant, new CfnParameter(plant, 'Name', props).valueAsString);
    };
    const noteOf = async (...given: Parameters<typeof deliver>) => (await deliver(...given)).notes[0];
    expect(await noteOf(declare({ default: 'one' }))).toContain('stream one');
    expect(await noteOf(declare({ default: 'one' }), { parameters: { Name: 'two' } })).toContain('stream two');
    expect(await noteOf(declare(), { parameters: { 'Plant:Name': 'three', Name: 'two' } })).toContain('stream three');
    await expect(deliver(declare())).rejects.toThrow('--parameters Name=<value>');
  });

  it('in part: the stacks that are named', async () => {
    const declare = (app: App) => {
      for (const name of ['Plant', 'Other']) own(new Stack(app, name));
    };
    expect((await deliver(declare)).outgoing).toEqual([1, 1]);
    expect((await deliver(declare, { stackNames: ['Other'] })).outgoing).toEqual([1]);
    await expect(deliver(declare, { stackNames: ['Plan'] })).rejects.toThrow(
      '--stack: got Plan; expected one of Plant, Other',
    );
  });

  it('with a line for each record that a sink stored, at log level debug', async () => {
    const assembly = synthesized((app) => own(new Stack(app, 'Plant'), { logLevel: 'debug' }));
    const local = await startLocal(['--import', 'tsx', 'bin/outflow.ts', 'local', assembly], process.cwd());
    const device = await mqtt.connectAsync(local.url, { clientId: 'd', protocolVersion: 5 });
    await device.publishAsync('a/b', '{}', { qos: 1 });
    await vi.waitUntil(() => /: delivered [\da-f-]{36} to shardId-\d+:\d+$/m.test(local.printed()), PATIENCE);
    await device.endAsync();
    await local.interrupt();
  });
});
