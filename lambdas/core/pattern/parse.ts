import { InvalidPatternError, show } from '../errors.ts';
import { ExactNumber } from '../json.ts';
import { MAX_PATTERN_DEPTH, Members, type PatternValue, tooDeep } from './value.ts';

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS: readonly (readonly [string, boolean | null])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

/**
 * Parses a pattern's JSON text. `JSON.parse` reorders keys that look like integers, keeps only the last of a repeated key and
 * rounds numbers, and a pattern's meaning depends on all three.
 *
 * @throws InvalidPatternError
 */
export function parsePattern(text: string): PatternValue {
  return new Parser(text).document();
}

class Parser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): PatternValue {
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) this.fail('nothing after the pattern');
    return value;
  }

  private value(depth: number): PatternValue {
    if (depth > MAX_PATTERN_DEPTH) throw new InvalidPatternError(tooDeep(`position ${this.at}`));
    this.space();
    const next = this.text[this.at];
    if (next === '{') return this.object(depth);
    if (next === '[') return this.list(depth);
    if (next === '"') return this.string();
    for (const [word, value] of LITERALS) if (this.takes(word)) return value;
    return new ExactNumber(this.match(NUMBER) || this.fail('a JSON value'));
  }

  private object(depth: number): Members {
    const entries: (readonly [string, PatternValue])[] = [];
    this.items('{', '}', () => {
      if (this.text[this.at] !== '"') this.fail('a key in double quotes');
      const key = this.string();
      this.space();
      if (!this.takes(':')) this.fail('":"');
      entries.push([key, this.value(depth + 1)]);
    });
    return new Members(entries);
  }

  private list(depth: number): PatternValue[] {
    const values: PatternValue[] = [];
    this.items('[', ']', () => values.push(this.value(depth + 1)));
    return values;
  }

  private items(open: string, close: string, readItem: () => void): void {
    this.takes(open);
    this.space();
    if (this.takes(close)) return;
    for (;;) {
      this.space();
      readItem();
      this.space();
      if (this.takes(close)) return;
      if (!this.takes(',')) this.fail(`"," or "${close}"`);
    }
  }

  private string(): string {
    const start = this.at;
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    try {
      const value: unknown = JSON.parse(this.text.slice(start, end + 1));
      this.at = end + 1;
      return value as string;
    } catch {
      return this.fail('a JSON string: closed, without bare control characters or unknown escapes');
    }
  }

  private takes(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  private space(): void {
    this.match(SPACE);
  }

  private match(regex: RegExp): string {
    regex.lastIndex = this.at;
    const found = regex.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  private fail(expected: string): never {
    const found = this.at < this.text.length ? show(this.text.slice(this.at, this.at + 20)) : 'the end of the text';
    throw new InvalidPatternError(`position ${this.at}: got ${found}; expected ${expected}`);
  }
}
