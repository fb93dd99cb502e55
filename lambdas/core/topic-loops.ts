import type { TaskMetadata } from './metadata.ts';
import { parseTemplate } from './template/parse.ts';
import { overlapTopicFilters } from './topic-filter.ts';

/** A task's topics: what it reads, and what its sink publishes to. */
export type TaskTopics = Pick<TaskMetadata, 'path' | 'filters' | 'writesTo'>;

/** One task publishes what another, or it itself, reads. */
export interface Feed {
  readonly from: TaskTopics;
  /** Template of the topic. */
  readonly writes: string;
  readonly to: TaskTopics;
  /** Filter that matches some topic of the template. */
  readonly reads: string;
}

/** A template's `${topic}` stands for the task's own filters, any other placeholder for a part of one level. */
export function feedsOf(tasks: readonly TaskTopics[]): Feed[] {
  return tasks.flatMap((from) =>
    (from.writesTo ?? []).flatMap((writes) => {
      const topics = topicsOf(writes, from.filters);
      return tasks.flatMap((to) =>
        to.filters
          .filter((reads) => topics.some((topic) => meets(topic, reads)))
          .map((reads): Feed => ({ from, writes, to, reads })),
      );
    }),
  );
}

/** Ways by which a message comes back to the task that published it, for ever: the shortest through each such task. */
export function loopsOf(tasks: readonly TaskTopics[]): Feed[][] {
  const feeds = feedsOf(tasks);
  const seen = new Set<string>();
  return tasks.flatMap((task) => {
    const loop = wayBack(task, feeds);
    if (loop === undefined) return [];
    const members = loop.map(({ from }) => from.path).sort();
    const key = members.join('\n');
    if (seen.has(key)) return [];
    seen.add(key);
    return [loop];
  });
}

function wayBack(task: TaskTopics, feeds: readonly Feed[]): Feed[] | undefined {
  const reached = new Set<TaskTopics>();
  let ways = feeds.filter(({ from }) => from === task).map((feed) => [feed]);
  while (ways.length > 0) {
    const back = ways.find((way) => way.at(-1)!.to === task);
    if (back !== undefined) return back;
    ways = ways.flatMap((way) => {
      const { to } = way.at(-1)!;
      if (reached.has(to)) return [];
      reached.add(to);
      return feeds.filter(({ from }) => from === to).map((feed) => [...way, feed]);
    });
  }
  return undefined;
}

// No topic holds control characters, so these two can stand for text that is not known yet.
const UNKNOWN = '\u0001';
const TOPIC = '\u0002';

/** The template as topic filters, by level; in a level, `UNKNOWN` stands for any text. */
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
  const wanted = filter.split('/');
  const levels = topic.map((level, i) => {
    if (level === UNKNOWN) return '+';
    return wanted[i] !== undefined && canBe(level, wanted[i]) ? wanted[i] : level;
  });
  return overlapTopicFilters(levels.join('/'), filter);
}

/** Can a level with unknown text in it be this one? */
function canBe(level: string, wanted: string): boolean {
  if (!level.includes(UNKNOWN) || wanted === '+' || wanted === '#') return false;
  const [first = '', ...rest] = level.split(UNKNOWN);
  if (!wanted.startsWith(first)) return false;
  const last = rest.pop() ?? '';
  let at = first.length;
  for (const text of rest) {
    const found = wanted.indexOf(text, at);
    if (found < 0) return false;
    at = found + text.length;
  }
  return wanted.length - last.length >= at && wanted.endsWith(last);
}
