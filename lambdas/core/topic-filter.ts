/** AWS IoT Core's limits on a topic filter in a rule (AWS IoT Core quotas: topic length, slashes). */
export const MAX_TOPIC_BYTES = 256;
export const MAX_TOPIC_SLASHES = 7;

/** Says why AWS IoT Core would refuse this topic filter in a rule; undefined when it would not. */
export function topicFilterProblem(filter: string): string | undefined {
  if (filter === '') return 'at least one character';
  if (/['"\\]/.test(filter)) return 'no quotes and no backslash';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is being refused
  if (/[\u0000-\u001f\u007f-\u009f]/.test(filter)) return 'no control characters or newlines';
  if (!filter.isWellFormed()) return 'well-formed Unicode';
  if (new TextEncoder().encode(filter).length > MAX_TOPIC_BYTES) return `at most ${MAX_TOPIC_BYTES} bytes of UTF-8`;
  if (filter.split('/').length - 1 > MAX_TOPIC_SLASHES) return `at most ${MAX_TOPIC_SLASHES} slashes`;
  const levels = filter.split('/');
  if (levels.some((level) => level.includes('+') && level !== '+')) return "'+' alone between slashes";
  if (levels.some((level, i) => level.includes('#') && (level !== '#' || i !== levels.length - 1)))
    return "'#' alone, as the last level";
  return undefined;
}

/** The topic filter that a client subscribes to, without the group that shares it (MQTT 5, 4.8.2). */
export function withoutShare(filter: string): string {
  return filter.replace(/^\$share\/[^/]+\//, '');
}

/** Does an MQTT topic filter match a topic? A wildcard at the first level does not match topics that begin with `$` (MQTT 5, 4.7.2). */
export function matchesTopicFilter(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const wanted = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true;
    if (i >= levels.length || (wanted[i] !== '+' && wanted[i] !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}

/** Is every topic that `inner` matches also matched by `outer`? */
export function coversTopicFilter(outer: string, inner: string): boolean {
  const o = outer.split('/');
  const i = inner.split('/');
  if (inner.startsWith('$') && (o[0] === '#' || o[0] === '+')) return false;
  for (let n = 0; n < o.length; n++) {
    if (o[n] === '#') return true;
    if (n >= i.length || i[n] === '#' || (o[n] !== '+' && o[n] !== i[n])) return false;
  }
  return o.length === i.length;
}

/** Is there a topic that both filters match? */
export function overlapTopicFilters(a: string, b: string): boolean {
  const [x, y] = [a.split('/'), b.split('/')];
  const wild = (level: string | undefined) => level === '+' || level === '#';
  if ((a.startsWith('$') && wild(y[0])) || (b.startsWith('$') && wild(x[0]))) return false;
  for (let n = 0; ; n++) {
    if (x[n] === '#' || y[n] === '#') return true;
    if (n >= x.length || n >= y.length) return x.length === y.length;
    if (x[n] !== '+' && y[n] !== '+' && x[n] !== y[n]) return false;
    // a level beyond the end of one filter is only matched by '#', and 'a/#' also matches 'a'
    if (n + 1 === x.length && n + 1 < y.length) return y[n + 1] === '#';
    if (n + 1 === y.length && n + 1 < x.length) return x[n + 1] === '#';
  }
}

/**
 * The filter as a regular expression over topics, for AWS IoT SQL's `regexp_matches`. It holds no backslash and no quote,
 * so it can stand in a string literal of the SQL as it is; undefined where that cannot be written (`^` or `[` in a level).
 */
export function topicFilterRegExp(filter: string): string | undefined {
  if (/[\^[]/.test(filter)) return undefined;
  if (filter === '#') return '^[^$]';
  const parts = filter.split('/').map((level, i) => {
    if (level === '#') return '(/.*)?';
    const first = i === 0;
    const text = level === '+' ? (first ? '([^$/][^/]*)?' : '[^/]*') : level.replace(/[.*+?(){|$]/g, '[$&]');
    return first ? text : `/${text}`;
  });
  return `^${parts.join('')}$`;
}
