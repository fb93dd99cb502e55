import type { TaskMetadata } from './metadata.ts';
import { feedsOf } from './topic-loops.ts';

/** The paths of messages: from topic filters through rules, buffers and workers to sinks, retry queues and dead-letter queues. */
export interface Topology {
  readonly nodes: readonly TopologyNode[];
  readonly edges: readonly TopologyEdge[];
}

export type NodeKind = 'filter' | 'rule' | 'function' | 'buffer' | 'worker' | 'sink' | 'retryQueue' | 'deadLetterQueue';

export interface TopologyNode {
  readonly id: string;
  readonly kind: NodeKind;
  readonly label: string;
  /** Path of the first task that the node belongs to. */
  readonly task: string;
  /** Whether the node belongs to other tasks too. */
  readonly shared: boolean;
  /** Absent for a node that is not a resource of the stack. */
  readonly logicalId?: string;
}

export interface TopologyEdge {
  readonly from: string;
  readonly to: string;
  /** What the edge carries. Absent for messages on their path to the sink. */
  readonly what?: 'errors' | 'retries' | 'dead letters' | 'published again';
}

/** The tasks of a stack, from its template's metadata. */
export interface StackTasks {
  readonly name: string;
  readonly tasks: readonly TaskMetadata[];
}

/** Builds the topology of all tasks of the stacks. */
export function topologyOf(stacks: readonly StackTasks[]): Topology {
  const nodes = new Map<string, TopologyNode>();
  const edges: TopologyEdge[] = [];
  const connect = (from: string, to: string, what?: TopologyEdge['what']) =>
    edges.push({ from, to, ...(what !== undefined && { what }) });

  for (const { name, tasks } of stacks) {
    for (const task of tasks) {
      const add = (kind: NodeKind, label: string, logicalId: string | undefined, key = '') => {
        const place = logicalId === undefined ? `${task.path} ${kind} ${key}` : `${name} ${logicalId}`;
        const known = nodes.get(place);
        const id = known?.id ?? `n${nodes.size + 1}`;
        const owner = known?.task ?? task.path;
        const shared = known?.shared || owner !== task.path;
        nodes.set(place, { id, kind, label, task: owner, shared, ...(logicalId !== undefined && { logicalId }) });
        return id;
      };
      const sources = task.filters.map((filter) => add('filter', filter, undefined, filter));
      const rules = task.rules.map((rule) => add('rule', 'rule', rule));
      const worker =
        task.worker === undefined
          ? undefined
          : {
              buffer: add('buffer', nameOfBuffer(task), task.queue ?? task.stream),
              id: add('worker', 'worker', task.worker),
            };
      const sink = add('sink', task.sink, undefined);
      const retryQueue = task.retryQueue && add('retryQueue', 'retry queue', task.retryQueue);
      const deadLetterQueue = add('deadLetterQueue', 'dead-letter queue', task.deadLetterQueue);

      rules.forEach((rule, i) => {
        connect(sources[i]!, rule);
        connect(rule, worker?.buffer ?? sink);
        connect(rule, deadLetterQueue, 'errors');
      });
      if (worker === undefined) continue;
      for (const { function: fn, filters } of task.functions ?? []) {
        const writer = add('function', 'function', fn);
        for (const filter of filters) connect(add('filter', filter, undefined, filter), writer);
        connect(writer, worker.buffer);
      }
      connect(worker.buffer, worker.id);
      connect(worker.id, sink);
      connect(worker.id, deadLetterQueue, 'dead letters');
      if (retryQueue !== undefined) {
        connect(worker.id, retryQueue, 'retries');
        connect(retryQueue, worker.id, 'retries');
      }
    }
    // Only within a stack: another stack may be in another region, which has its own topics.
    for (const { from, to, reads } of feedsOf(tasks)) {
      const [sink, filter] = [nodes.get(`${from.path} sink `)!, nodes.get(`${to.path} filter ${reads}`)!];
      connect(sink.id, filter.id, 'published again');
    }
  }
  return { nodes: [...nodes.values()], edges };
}

function nameOfBuffer({ queue, stream }: TaskMetadata): string {
  if (queue !== undefined) return 'queue';
  return stream !== undefined ? 'stream' : 'buffer of another stack';
}

const SHAPES: Readonly<Record<NodeKind, readonly [string, string]>> = {
  filter: ['([', '])'],
  rule: ['[', ']'],
  function: ['[[', ']]'],
  buffer: ['[(', ')]'],
  worker: ['[[', ']]'],
  sink: ['{{', '}}'],
  retryQueue: ['[(', ')]'],
  deadLetterQueue: ['[(', ')]'],
};

/** Draws the topology as a Mermaid flowchart, with one box for each task (Mermaid, "Flowcharts"). */
export function toMermaid({ nodes, edges }: Topology): string {
  const line = ({ id, kind, label }: TopologyNode) => {
    const [open, close] = SHAPES[kind];
    return `${id}${open}"${escaped(label)}"${close}`;
  };
  const own = nodes.filter(({ shared }) => !shared);
  const boxes = [...new Set(nodes.map(({ task }) => task))].flatMap((task, i) => [
    `  subgraph t${i + 1}["${escaped(task)}"]`,
    ...own.filter((node) => node.task === task).map((node) => `    ${line(node)}`),
    '  end',
  ]);
  return [
    'flowchart LR',
    ...boxes,
    ...nodes.filter(({ shared }) => shared).map((node) => `  ${line(node)}`),
    ...edges.map(({ from, to, what }) => `  ${from} ${what === undefined ? '-->' : `-. ${what} .->`} ${to}`),
    '',
  ].join('\n');
}

// Mermaid, "Entity codes to escape characters". Mermaid does not decode a code after a colon, and reads a label that begins
// with a dash, or with a number and a dot, as a list.
function escaped(text: string): string {
  return text.replace(/[^\p{L}\p{N} /+$._=-]|[-+.](?= )/gu, (character) => `#${character.codePointAt(0)};`);
}
