import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack, Stage } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { describe, expect, it, vi } from 'vitest';
import { topologyCommand } from '../../bin/commands/topology.ts';
import { IotTopicSource, type ISink, KinesisSink, OutflowTask } from '../../lib/index.ts';

const kinesis = () => new KinesisSink('s', { partitionKey: '${id}' });

/** A sink that publishes to topics of AWS IoT Core. */
function publishing(...writesTo: string[]): ISink {
  const { type, options, spec, routed, deployTime } = kinesis();
  return { type, options, spec, routed, deployTime, bind: (scope) => ({ ...kinesis().bind(scope, []), writesTo }) };
}

function tasks(app: App, stacks: Record<string, Record<string, [filter: string, sink: ISink]>>): App {
  for (const [name, declared] of Object.entries(stacks)) {
    const stack = new Stack(app, name);
    for (const [id, [filter, sink]] of Object.entries(declared))
      new OutflowTask(stack, id, { source: new IotTopicSource(filter), sink });
  }
  return app;
}

describe('the topology file', () => {
  it('stands next to the template, with all tasks of the stack, and the command prints that of the whole app', async () => {
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'outflow-topology-')) });
    tasks(app, { One: { A: ['a/#', kinesis()], B: ['b', kinesis()] }, Two: { C: ['c', kinesis()] } });
    new Topic(new Stack(app, 'None'), 'Topic');
    const { directory } = app.synth();
    const written = readFileSync(join(directory, 'One.outflow.mmd'), 'utf8');
    expect(written).toMatch(/^flowchart LR/);
    expect([...written.matchAll(/subgraph \w+\["(.*)"\]/g)].map(([, title]) => title)).toEqual(['One/A', 'One/B']);
    expect(existsSync(join(directory, 'None.outflow.mmd'))).toBe(false);

    const printed = await run(directory);
    expect([...printed.matchAll(/subgraph \w+\["(.*)"\]/g)].map(([, title]) => title)).toEqual([
      'One/A',
      'One/B',
      'Two/C',
    ]);
    const { nodes } = JSON.parse(await run(directory, '--json'));
    const filters = nodes.filter(({ kind }: { kind: string }) => kind === 'filter');
    expect(filters.map(({ label }: { label: string }) => label)).toEqual(['a/#', 'b', 'c']);
  });

  it('is refused by the command if the app has no tasks', async () => {
    const app = new App();
    new Topic(new Stack(app, 'None'), 'Topic');
    await expect(run(app.synth().directory)).rejects.toThrow('no OutflowTask');
  });
});

describe('tasks with a loop of messages', () => {
  it('are refused at synth, across stacks, and the error names tasks and topics (F35)', () => {
    const app = tasks(new App(), {
      One: { There: ['a/#', publishing('b/${topic}')] },
      Two: { Back: ['b/#', publishing('a/x')] },
    });
    expect(() => app.synth()).toThrow(
      /One\/There\.sink: got 'b\/\$\{topic\}'; expected a topic .* \(One\/There publishes 'b\/\$\{topic\}', Two\/Back reads 'b\/#'; Two\/Back publishes 'a\/x', One\/There reads 'a\/#'\)/,
    );
  });

  it('are accepted if the messages never meet: another topic, another stage, another account', () => {
    const app = tasks(new App(), { One: { A: ['a/#', publishing('b/x')], B: ['b/#', kinesis()] } });
    const otherAccount = new Stack(app, 'OtherAccount', { env: { account: '111111111111', region: 'eu-west-1' } });
    new OutflowTask(otherAccount, 'B', { source: new IotTopicSource('b/#'), sink: publishing('a/x') });
    const stage = new Stage(app, 'Later');
    new OutflowTask(new Stack(stage, 'One'), 'B', { source: new IotTopicSource('b/#'), sink: publishing('a/x') });
    expect(() => app.synth()).not.toThrow();
  });
});

async function run(...args: string[]): Promise<string> {
  const printed: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(line));
  try {
    await topologyCommand().parseAsync(args, { from: 'user' });
  } finally {
    log.mockRestore();
  }
  return printed.join('\n');
}
