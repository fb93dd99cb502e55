/**
 * Characters of a server's text that are read. Servers put stack traces into it, after the reason; regular expressions take
 * quadratic time for a text without a bound.
 */
const MAX_CHARACTERS = 1_000;
const WORD = /[%|a-zA-Z0-9_-]+/g;

export function bounded(text: string): string {
  return text.slice(0, MAX_CHARACTERS);
}

/** Replaces a topic's name in a server's text by the word `topic`: a message may have named it like an error. */
export function withoutTopic(text: string, topic: string): string {
  return text.replace(WORD, (word) => (word === topic ? 'topic' : word));
}
