import { MAX_JSON_DEPTH } from './json.ts';
import { characterClass } from './redacted-text.ts';

/**
 * Describes why `parseJson` refuses a text. `JSON.parse` quotes the text in its errors; this description repeats none of it,
 * so that a payload never reaches a log or a dead letter's attributes. Positions count UTF-16 code units from 0.
 */
export function jsonErrorText(text: string): string {
  if (text.startsWith('\uFEFF')) return 'it begins with a byte order mark (BOM)';
  const at = endOfJson(text);
  if (at === undefined) return `it nests deeper than ${MAX_JSON_DEPTH} levels`;
  return at === text.length
    ? `it ends unfinished, after ${at} characters`
    : `unexpected ${characterClass(text, at)} at position ${at}`;
}

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON refuses them in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y;
const WORDS: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };

/**
 * Returns the position of the first character that cannot continue the JSON; the text's length when it is cut short; undefined
 * when the text is JSON.
 */
function endOfJson(text: string): number | undefined {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let at = after(SPACE, 0);
  for (; at < text.length; at = after(SPACE, at)) {
    const character = text[at]!;
    if (expected === ':') {
      if (character !== ':') return at;
      expected = 'value';
      at++;
    } else if (expected === ', or end') {
      const inner = open.at(-1);
      if (character === ',' && inner !== undefined) expected = inner === '{' ? 'key' : 'value';
      else if (character === (inner === '{' ? '}' : ']') && inner !== undefined) open.pop();
      else return at;
      at++;
    } else if ((character === '}' && expected === 'key or }') || (character === ']' && expected === 'value or ]')) {
      open.pop();
      expected = ', or end';
      at++;
    } else if (character === '"') {
      const end = endOfString(at + 1);
      if (text[end] !== '"') return end;
      expected = expected.startsWith('key') ? ':' : ', or end';
      at = end + 1;
    } else if (expected.startsWith('key')) {
      return at;
    } else if (character === '{' || character === '[') {
      open.push(character);
      expected = character === '{' ? 'key or }' : 'value or ]';
      at++;
    } else {
      const end = endOfScalar(at);
      if (end === at || !isWhole(at, end)) return end;
      expected = ', or end';
      at = end;
    }
  }
  return open.length === 0 && expected === ', or end' ? undefined : at;

  function after(token: RegExp, from: number): number {
    token.lastIndex = from;
    return token.test(text) ? token.lastIndex : from;
  }

  function endOfString(from: number): number {
    for (let end = from; ; ) {
      const next = after(ESCAPE, after(PLAIN, end));
      if (next === end) return end;
      end = next;
    }
  }

  function endOfScalar(from: number): number {
    const word = WORDS[text[from]!];
    if (word === undefined) return after(NUMBER, from);
    let length = 0;
    while (length < word.length && text[from + length] === word[length]) length++;
    return from + length;
  }

  function isWhole(from: number, end: number): boolean {
    const word = WORDS[text[from]!];
    return word === undefined || end - from === word.length;
  }
}
