import type { TaskMetadata } from './metadata.ts';
import { parseTemplate } from './template/parse.ts';
import { overlapTopicFilters } from './topic-filter.ts';

/**
 * The topics of a task: those that its rules read, those of messages that functions write into its buffer, such as those of an MQTT
 * broker, and those that its sink publishes to.
 */
export type TaskTopics = Pick<TaskMetadata, 'path' | 'filters' | 'functions' | 'writesTo'>;

/** A task that publishes to a topic which another task, or the task itself, reads. */
export interface Feed {
  readonly from: TaskTopics;
  /** Template of the topic that `from` publishes to. */
  readonly writes: string;
  readonly to: TaskTopics;
  /** Topic filter of `to` that matches some topic of the template. */
  readonly reads: string;
}

/**
 * Finds all feeds among tasks. In a template, `${topic}` stands for the topics of the task's messages, and any other placeholder
 * for text within one level.
 */
export function feedsOf(tasks: readonly TaskTopics[]): Feed[] {
  return tasks.flatMap((from) =>
    (from.writesTo ?? []).flatMap((writes) => {
      const received = [...from.filters, ...(from.functions ?? []).flatMap(({ filters }) => filters)];
      const topics = topicsOf(writes, received);
      return tasks.flatMap((to) =>
        to.filters
          .filter((reads) => topics.some((topic) => meets(topic, reads)))
          .map((reads): Feed => ({ from, writes, to, reads })),
      );
    }),
  );
}

/** Finds loops, in which a message returns to the task that published it, for ever. Each loop is the shortest through its task. */
export function loopsOf(tasks: readonly TaskTopics[]): Feed[][] {
  const feeds = feedsOf(tasks);
  const seen = new Set<string>();
  return tasks.flatMap((task) => {
    const loop = pathBack(task, feeds);
    if (loop === undefined) return [];
    const members = loop.map(({ from }) => from.path).sort();
    const key = members.join('\n');
    if (seen.has(key)) return [];
    seen.add(key);
    return [loop];
  });
}

function pathBack(task: TaskTopics, feeds: readonly Feed[]): Feed[] | undefined {
  const reached = new Set<TaskTopics>();
  let paths = feeds.filter(({ from }) => from === task).map((feed) => [feed]);
  while (paths.length > 0) {
    const back = paths.find((path) => path.at(-1)!.to === task);
    if (back !== undefined) return back;
    paths = paths.flatMap((path) => {
      const { to } = path.at(-1)!;
      if (reached.has(to)) return [];
      reached.add(to);
      return feeds.filter(({ from }) => from === to).map((feed) => [...path, feed]);
    });
  }
  return undefined;
}

// Topics hold no control characters, so these two can stand for text that is unknown at synth.
const UNKNOWN = '\u0001';
const TOPIC = '\u0002';

/** Converts a template to topic filters, each as a list of levels. In a level, `UNKNOWN` stands for any text. */
function topicsOf(template: string, filters: readonly string[]): string[][] {
  const text = parseTemplate(template)
    .map((part) => (typeof part === 'string' ? part : part.path.join('.') === 'topic' ? TOPIC : UNKNOWN))
    .join('');
  const topics = text.includes(TOPIC) ? filters.map((filter) => text.replaceAll(TOPIC, filter)) : [text];
  return topics.map((topic) => {
    const levels = topic.split('/').map((level) => level.replaceAll('+', UNKNOWN));
    const end = levels.findIndex((level) => level.includes('#'));
    return end < 0 ? levels : [...levels.slice(0, end), '#'];
  });
}

function meets(topic: readonly string[], filter: string): boolean {
  const filterLevels = filter.split('/');
  const levels = topic.map((level, i) => {
    if (level === UNKNOWN) return '+';
    const other = filterLevels[i];
    return other !== undefined && canEqual(level, other) ? other : level;
  });
  return overlapTopicFilters(levels.join('/'), filter);
}

/** Whether a level with unknown text in it can equal this level. */
function canEqual(level: string, other: string): boolean {
  if (!level.includes(UNKNOWN) || other === '+' || other === '#') return false;
  const [first = '', ...rest] = level.split(UNKNOWN);
  if (!other.startsWith(first)) return false;
  const last = rest.pop() ?? '';
  let at = first.length;
  for (const text of rest) {
    const found = other.indexOf(text, at);
    if (found < 0) return false;
    at = found + text.length;
  }
  return other.length - last.length >= at && other.endsWith(last);
}
