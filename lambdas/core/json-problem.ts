import { MAX_JSON_DEPTH } from './json.ts';

/**
 * Says where text stops being JSON that `parseJson` takes, in words that hold nothing of the text: a payload's own words
 * belong in no log and in no attribute, and JSON.parse quotes them. Positions count UTF-16 units from 0.
 */
export function jsonProblem(text: string): string {
  const at = endOfJson(text);
  if (at === undefined) return `it nests deeper than ${MAX_JSON_DEPTH} levels`;
  return at === text.length
    ? `it ends unfinished, after ${at} characters`
    : `unexpected ${characterKind(text, at)} at position ${at}`;
}

/** What kind of character stands there, without saying which one. */
function characterKind(text: string, at: number): string {
  const character = String.fromCodePoint(text.codePointAt(at)!);
  return KINDS.find(([pattern]) => pattern.test(character))![1];
}

/** A text as an error may tell of it without repeating it: its length, and the kind of the first character that is refused. */
export function outline(text: string, refused: RegExp | undefined): string {
  if (text === '') return 'nothing';
  const at = refused === undefined ? -1 : text.search(refused);
  const where = at < 0 ? '' : ` with a ${characterKind(text, at)} at position ${at}`;
  return `${text.length} characters${where}`;
}

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/\p{Cc}/u, 'control character'],
  [/\s/u, 'space'],
  [/[A-Za-z]/, 'letter'],
  [/[0-9]/, 'digit'],
  [/["'`]/, 'quote'],
  [/^[!-~]$/, 'punctuation mark'],
  [/\p{Cs}/u, 'half of a surrogate pair'],
  [/(?:)/, 'character outside ASCII'],
];

type Wanted = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON refuses them in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/y;
const WORDS: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };

/** Where the first character is that no JSON has there, the text's length when it is cut short; undefined when it is JSON. */
function endOfJson(text: string): number | undefined {
  const open: ('{' | '[')[] = [];
  let wanted: Wanted = 'value';
  let at = after(SPACE, 0);
  for (; at < text.length; at = after(SPACE, at)) {
    const character = text[at]!;
    if (wanted === ':') {
      if (character !== ':') return at;
      wanted = 'value';
      at++;
    } else if (wanted === ', or end') {
      const inner = open.at(-1);
      if (character === ',' && inner !== undefined) wanted = inner === '{' ? 'key' : 'value';
      else if (character === (inner === '{' ? '}' : ']') && inner !== undefined) open.pop();
      else return at;
      at++;
    } else if ((character === '}' && wanted === 'key or }') || (character === ']' && wanted === 'value or ]')) {
      open.pop();
      wanted = ', or end';
      at++;
    } else if (character === '"') {
      const end = endOfString(at + 1);
      if (text[end] !== '"') return end;
      wanted = wanted.startsWith('key') ? ':' : ', or end';
      at = end + 1;
    } else if (wanted.startsWith('key')) {
      return at;
    } else if (character === '{' || character === '[') {
      open.push(character);
      wanted = character === '{' ? 'key or }' : 'value or ]';
      at++;
    } else {
      const end = endOfScalar(at);
      if (end === at || !isWhole(at, end)) return end;
      wanted = ', or end';
      at = end;
    }
  }
  return open.length === 0 && wanted === ', or end' ? undefined : at;

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
