import { InvalidSqlError } from '../../errors.ts';

export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'everything' }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'not'; readonly of: Expression }
  | {
      readonly kind: 'case';
      readonly of: Expression;
      readonly when: readonly { readonly is: Expression; readonly gives: Expression }[];
      readonly otherwise: Expression | undefined;
    }
  | { readonly kind: 'and' | 'or' | '=' | '<>'; readonly left: Expression; readonly right: Expression };

export interface Statement {
  readonly items: readonly { readonly expression: Expression; readonly alias: string | undefined }[];
  readonly from: string;
  readonly where: Expression | undefined;
}

const KEYWORDS = new Set(['SELECT', 'FROM', 'WHERE', 'AS', 'AND', 'OR', 'NOT', 'WHEN', 'THEN', 'ELSE', 'END']);

const TOKEN = /\s*(?:('[^']*'|"[^"]*")|(\d+(?:\.\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|(<>|[*(),=]))/y;

/**
 * Parses the subset of AWS IoT SQL in which Outflow's rules are written: SELECT of literals, function calls and payload
 * fields, FROM one topic filter, and WHERE of these with NOT, AND, OR, `=` and `<>`. CASE may stand anywhere.
 *
 * @throws InvalidSqlError for any other SQL.
 */
export function parseStatement(sql: string): Statement {
  const reader = new Reader(sql);
  reader.keyword('SELECT');
  const items = reader.list(() => {
    const expression = reader.expression();
    return { expression, alias: reader.accept('AS') ? reader.name() : undefined };
  });
  reader.keyword('FROM');
  const from = reader.string();
  const where = reader.accept('WHERE') ? reader.expression() : undefined;
  reader.end();
  return { items, from, where };
}

/** Parses one expression, as a substitution template `${…}` holds it. @throws InvalidSqlError */
export function parseExpression(text: string): Expression {
  const reader = new Reader(text);
  const expression = reader.expression();
  reader.end();
  return expression;
}

class Reader {
  readonly #sql: string;
  #at = 0;

  constructor(sql: string) {
    this.#sql = sql;
  }

  expression(): Expression {
    let left = this.#conjunction();
    while (this.accept('OR')) left = { kind: 'or', left, right: this.#conjunction() };
    return left;
  }

  #conjunction(): Expression {
    let left = this.#negation();
    while (this.accept('AND')) left = { kind: 'and', left, right: this.#negation() };
    return left;
  }

  #negation(): Expression {
    let negations = 0;
    while (this.accept('NOT')) negations++;
    let expression = this.#comparison();
    while (negations-- > 0) expression = { kind: 'not', of: expression };
    return expression;
  }

  #comparison(): Expression {
    const left = this.#primary();
    for (const kind of ['=', '<>'] as const) if (this.accept(kind)) return { kind, left, right: this.#primary() };
    return left;
  }

  #primary(): Expression {
    const { text, kind } = this.#next();
    if (kind === 'string') return { kind: 'literal', value: text.slice(1, -1) };
    if (kind === 'number') return { kind: 'literal', value: Number(text) };
    if (text === '*') return { kind: 'everything' };
    if (text === '(') {
      const inner = this.expression();
      this.keyword(')');
      return inner;
    }
    if (kind === 'name' && text.toUpperCase() === 'CASE') return this.#choice();
    if (/^(true|false)$/i.test(text)) return { kind: 'literal', value: text.toLowerCase() === 'true' };
    if (kind === 'name' && this.accept('(')) {
      const args = this.accept(')') ? [] : this.list(() => this.expression());
      if (args.length > 0) this.keyword(')');
      return { kind: 'call', name: text.toLowerCase(), args };
    }
    if (kind === 'name' && !KEYWORDS.has(text.toUpperCase())) return { kind: 'field', name: text };
    throw this.#error(text, 'a value');
  }

  #choice(): Expression {
    const of = this.expression();
    const when: { is: Expression; gives: Expression }[] = [];
    this.keyword('WHEN');
    do {
      const is = this.expression();
      this.keyword('THEN');
      when.push({ is, gives: this.expression() });
    } while (this.accept('WHEN'));
    const otherwise = this.accept('ELSE') ? this.expression() : undefined;
    this.keyword('END');
    return { kind: 'case', of, when, otherwise };
  }

  list<Item>(read: () => Item): Item[] {
    const items = [read()];
    while (this.accept(',')) items.push(read());
    return items;
  }

  accept(word: string): boolean {
    const before = this.#at;
    if (this.#token()?.text.toUpperCase() === word) return true;
    this.#at = before;
    return false;
  }

  keyword(word: string): void {
    if (!this.accept(word)) throw this.#error(this.#sql.slice(this.#at).trim(), word);
  }

  name(): string {
    const { text, kind } = this.#next();
    if (kind !== 'name') throw this.#error(text, 'a name');
    return text;
  }

  string(): string {
    const { text, kind } = this.#next();
    if (kind !== 'string') throw this.#error(text, 'a string in quotes');
    return text.slice(1, -1);
  }

  end(): void {
    const rest = this.#sql.slice(this.#at).trim();
    if (rest !== '') throw this.#error(rest, 'the end');
  }

  #next() {
    const token = this.#token();
    if (token === undefined) throw this.#error(this.#sql.slice(this.#at).trim(), 'a value');
    return token;
  }

  /** Reads the next token and moves past it. @returns undefined, without moving, when there is none. */
  #token(): { text: string; kind: 'string' | 'number' | 'name' | 'sign' } | undefined {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#sql);
    if (match === null) return undefined;
    this.#at = TOKEN.lastIndex;
    const [, string, number, name, sign] = match;
    if (string !== undefined) return { text: string, kind: 'string' };
    if (number !== undefined) return { text: number, kind: 'number' };
    return name !== undefined ? { text: name, kind: 'name' } : { text: sign!, kind: 'sign' };
  }

  #error(found: string, expected: string): InvalidSqlError {
    const got = found === '' ? 'the end' : `'${found.slice(0, 40)}'`;
    return new InvalidSqlError(`got ${got}; expected ${expected}; in: ${this.#sql.slice(0, 300)}`);
  }
}
