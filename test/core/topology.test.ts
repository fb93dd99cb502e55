import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskMetadata } from '../../lambdas/core/metadata.ts';
import { compileTemplate } from '../../lambdas/core/template/template.ts';
import { matchesTopicFilter } from '../../lambdas/core/topic-filter.ts';
import { feedsOf, loopsOf, type TaskTopics } from '../../lambdas/core/topic-loops.ts';
import { type Topology, toMermaid, topologyOf } from '../../lambdas/core/topology.ts';
import { anyCharacter } from '../support/characters.ts';
import { runs } from '../support/property-runs.ts';

const task = (over: Partial<TaskMetadata> = {}): TaskMetadata => ({
  task: 'T',
  path: 'Plant/T',
  sink: 'kinesis',
  filters: ['a/+'],
  specHash: '',
  rules: ['TRule'],
  queue: 'TQueue',
  retryQueue: 'TRetryQueue',
  deadLetterQueue: 'TDeadLetterQueue',
  worker: 'TWorker',
  mappings: [],
  ...over,
});
const draw = (...tasks: TaskMetadata[]) => topologyOf([{ name: 'Plant', tasks }]);

/** Edges as text: the kinds of their nodes, and the labels of filters. */
const edgesOf = ({ nodes, edges }: Topology) => {
  const labels = new Map(nodes.map(({ id, kind, label }) => [id, kind === 'filter' ? label : kind]));
  return edges.map(({ from, to, what }) => [labels.get(from), labels.get(to), what].filter(Boolean).join(' > '));
};

describe('the topology', () => {
  it('leads from each filter to the sink, and from whatever can fail to where that is kept', () => {
    expect(edgesOf(draw(task({ filters: ['a/#', '+/b'], rules: ['TRule', 'TRule2'] }))).sort()).toEqual(
      [
        'a/# > rule',
        '+/b > rule',
        'rule > buffer',
        'rule > buffer',
        'buffer > worker',
        'worker > sink',
        'rule > deadLetterQueue > errors',
        'rule > deadLetterQueue > errors',
        'worker > deadLetterQueue > dead letters',
        'worker > retryQueue > retries',
        'retryQueue > worker > retries',
      ].sort(),
    );
  });

  it('goes from rule to sink without a worker, and through a stream where that is the buffer', () => {
    const { worker: _, queue: __, retryQueue: ___, ...rest } = task();
    expect(edgesOf(draw(rest))).toEqual(['a/+ > rule', 'rule > sink', 'rule > deadLetterQueue > errors']);
    const stream = draw({ ...rest, worker: 'TWorker', stream: 'TStream' });
    expect(stream.nodes.find(({ kind }) => kind === 'buffer')).toMatchObject({ label: 'stream', logicalId: 'TStream' });
  });

  it('leads through a function that writes to the buffer, also from a filter that a rule serves', () => {
    const functions = [{ function: 'TReader', filters: ['a/+', 'b'] }];
    expect(
      edgesOf(draw(task({ functions }))).filter((edge) => edge.includes('function') || edge.startsWith('a/+')),
    ).toEqual(['a/+ > rule', 'a/+ > function', 'b > function', 'function > buffer']);
  });

  it('has a queue that tasks share once, and one of another stack for each task', () => {
    const dlqMessages = (deadLetterQueue: string | undefined) => {
      const { deadLetterQueue: _, ...rest } = task();
      const one = { ...rest, ...(deadLetterQueue !== undefined && { deadLetterQueue }) };
      const { nodes } = draw(one, { ...one, task: 'U', path: 'Plant/U', rules: ['URule'], worker: 'UWorker' });
      return nodes.filter(({ kind }) => kind === 'deadLetterQueue').map(({ shared }) => shared);
    };
    expect(dlqMessages('Shared')).toEqual([true]);
    expect(dlqMessages(undefined)).toEqual([false, false]);
  });

  it('shows what is published again', () => {
    const echo = task({ task: 'Echo', path: 'Plant/Echo', filters: ['b/x'], writesTo: ['a/${clientid}'] });
    expect(edgesOf(draw(task(), echo))).toContain('sink > a/+ > published again');
  });

  it('becomes Mermaid that no name can break out of', () => {
    const text = toMermaid(draw(task({ filters: ['"];x --> y["a/#'], path: '1. `<b>`', sink: 'k%%{init}' })));
    expect(text).toMatch(/^flowchart LR\n {2}subgraph t1\["1#46; #96;#60;b#62;#96;"\]\n/);
    expect(text).toContain('(["#34;#93;#59;x --#62; y#91;#34;a/#35;"])');
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), fc.string(), (filter, path) => {
        const drawn = toMermaid(draw(task({ filters: [filter], path })));
        expect(drawn.replace(/"[^"\n]*"/g, '""')).toBe(toMermaid(draw(task())).replace(/"[^"\n]*"/g, '""'));
      }),
    );
  });
});

const flow = (path: string, reads: string[], ...writesTo: string[]): TaskTopics => ({ path, filters: reads, writesTo });
const isLoop = (...tasks: TaskTopics[]) => loopsOf(tasks).map((loop) => loop.map(({ from }) => from.path).join());

describe('loops', () => {
  it.each<[string, boolean, string[], string]>([
    ['what it reads', true, ['t/#'], 't/out'],
    ['beside what it reads', false, ['t/+'], 't/out/1'],
    ['the topic itself', true, ['t/1'], '${topic}'],
    ['the topic with a level before it', false, ['t/#'], 'sub/${topic}'],
    ['the topic with a level before it, where all is read', true, ['#'], 'sub/${topic}'],
    ['the topic with a level behind it', true, ['t/#'], '${topic}/done'],
    ['the topic with a level behind it, where one level is read', false, ['t/+'], '${topic}/done'],
    ['a client’s topic', true, ['cmd/dev1'], 'cmd/${clientid}'],
    ['a client’s topic of another end', false, ['d/+/in'], 'd/${clientid}/out'],
    ['a part of a level that fits', true, ['dev-1/in'], 'dev-${id}/in'],
    ['a part of a level that cannot fit', false, ['plc-1/in'], 'dev-${id}/in'],
    ['the text of a dollar sign', false, ['t/1'], 't/${$}{clientid}'],
  ])('a sink that writes %s: %s', (_, expected, reads, writes) => {
    expect(isLoop(flow('A', reads, writes))).toEqual(expected ? ['A'] : []);
  });

  it('are found where the topic is one of an MQTT broker', () => {
    const inbound = {
      ...flow('In', [], 'sub/${topic}'),
      functions: [{ function: 'Session', filters: ['temp_hum/+'] }],
    };
    expect(isLoop(inbound)).toEqual([]);
    expect(isLoop(inbound, flow('Out', ['sub/#'], 'x'))).toEqual([]);
    expect(feedsOf([inbound, flow('Out', ['sub/temp_hum/#'])])).toMatchObject([{ from: { path: 'In' } }]);
    expect(feedsOf([inbound, flow('Out', ['temp_hum/#'])])).toEqual([]);
  });

  it('are found through other tasks, each once and by the shortest path', () => {
    const [a, b, c] = [flow('A', ['a/#'], 'b/x'), flow('B', ['b/#'], 'c/x'), flow('C', ['c/#'], 'd/x', 'a/x', 'b/y')];
    expect(isLoop(a!, b!)).toEqual([]);
    expect(isLoop(a!, b!, c!)).toEqual(['A,B,C', 'B,C']);
    const [[feed] = []] = loopsOf([a!, b!, c!]);
    expect(feed).toMatchObject({ writes: 'b/x', to: { path: 'B' }, reads: 'b/#' });
  });

  it('are missed by no topic that a template of one-level placeholders renders', () => {
    const level = fc.constantFrom('a', 'b', 'ab', '');
    const filterLevel = fc.oneof(level, fc.constant('+'));
    const filter = fc
      .tuple(fc.array(filterLevel, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'));
    const templateLevel = fc.oneof(
      level,
      fc.constantFrom('${clientid}', 'a${clientid}', '${clientid}b', 'a${clientid}b'),
    );
    const template = fc.array(templateLevel, { minLength: 1, maxLength: 3 }).map((levels) => levels.join('/'));
    fc.assert(
      fc.property(filter, template, level, (reads, writes, clientid) => {
        const topic = compileTemplate(writes).renderText({ clientid });
        if (matchesTopicFilter(reads, topic)) expect(feedsOf([flow('A', [reads], writes)])).toHaveLength(1);
      }),
      { numRuns: runs(2_000) },
    );
  });
});
