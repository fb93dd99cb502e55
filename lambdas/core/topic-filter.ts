/** Limits of a topic filter in a rule: UTF-8 bytes and slashes (AWS IoT Core, "Endpoints and quotas"). */
export const MAX_TOPIC_BYTES = 256;
export const MAX_TOPIC_SLASHES = 7;

/** Returns what AWS IoT Core expects of a topic filter in a rule that it would refuse; undefined for a valid topic filter. */
export function topicFilterProblem(filter: string): string | undefined {
  if (/['"\\]/.test(filter)) return 'no quotes and no backslash';
  if (new TextEncoder().encode(filter).length > MAX_TOPIC_BYTES) return `at most ${MAX_TOPIC_BYTES} bytes of UTF-8`;
  if (filter.split('/').length - 1 > MAX_TOPIC_SLASHES) return `at most ${MAX_TOPIC_SLASHES} slashes`;
  return mqttTopicFilterProblem(filter);
}

/** The limit of any text in MQTT (MQTT 5, section 1.5.4). */
const MAX_MQTT_TEXT_BYTES = 65_535;

/** Returns what MQTT expects of a topic filter that a broker would refuse; undefined for a valid topic filter. */
export function mqttTopicFilterProblem(filter: string): string | undefined {
  if (filter === '') return 'at least one character';
  if (!filter.isWellFormed()) return 'well-formed Unicode';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: MQTT refuses NUL, and brokers may refuse the others
  if (/[\u0000-\u001f\u007f-\u009f]/.test(filter)) return 'no control characters or newlines';
  if (new TextEncoder().encode(filter).length > MAX_MQTT_TEXT_BYTES)
    return `at most ${MAX_MQTT_TEXT_BYTES} bytes of UTF-8`;
  const levels = filter.split('/');
  if (levels.some((level) => level.includes('+') && level !== '+')) return "'+' alone between slashes";
  if (levels.some((level, i) => level.includes('#') && (level !== '#' || i !== levels.length - 1)))
    return "'#' alone, as the last level";
  return undefined;
}

/** Removes the share name from a client's topic filter: `$share/<group>/a/#` becomes `a/#` (MQTT 5, section 4.8.2). */
export function withoutShare(filter: string): string {
  return filter.replace(/^\$share\/[^/]+\//, '');
}

/**
 * Whether a topic filter matches a topic. A wildcard at the first level does not match topics that begin with `$` (MQTT 5,
 * section 4.7.2).
 */
export function matchesTopicFilter(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const pattern = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && (pattern[0] === '#' || pattern[0] === '+')) return false;
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === '#') return true;
    if (i >= levels.length || (pattern[i] !== '+' && pattern[i] !== levels[i])) return false;
  }
  return pattern.length === levels.length;
}

/** Whether `outer` matches every topic that `inner` matches. */
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

/** Whether some topic matches both topic filters. */
export function overlapTopicFilters(a: string, b: string): boolean {
  const [x, y] = [a.split('/'), b.split('/')];
  const wild = (level: string | undefined) => level === '+' || level === '#';
  if ((a.startsWith('$') && wild(y[0])) || (b.startsWith('$') && wild(x[0]))) return false;
  for (let n = 0; ; n++) {
    if (x[n] === '#' || y[n] === '#') return true;
    if (n >= x.length || n >= y.length) return x.length === y.length;
    if (x[n] !== '+' && y[n] !== '+' && x[n] !== y[n]) return false;
    // Beyond the end of one filter only '#' matches: 'a/#' also matches 'a'.
    if (n + 1 === x.length && n + 1 < y.length) return y[n + 1] === '#';
    if (n + 1 === y.length && n + 1 < x.length) return x[n + 1] === '#';
  }
}
