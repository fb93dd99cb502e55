import { InvalidTemplateError } from '../errors.ts';

/** A part of a template: literal text, or a placeholder. */
export type Part = string | Placeholder;

export interface Placeholder {
  /** The placeholder as written, with its braces. */
  readonly source: string;
  /** Names from the scope inwards. Empty for the whole scope, `${.}`. */
  readonly path: readonly string[];
  /**
   * Whether the name has other characters than EMQX's newer template engine accepts, such as `${my-key}` or `${tags[1]}`. That
   * engine keeps such a placeholder as text, the older one looks it up. Outflow looks it up, and keeps the text when the
   * scope has no such name.
   */
  readonly loose: boolean;
}

const NAME = /^[A-Za-z0-9._]*$/;

/** Splits a template into its parts. @throws InvalidTemplateError when a `${` is never closed. */
export function parseTemplate(text: string): readonly Part[] {
  const parts: Part[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const open = text.indexOf('${', at);
    if (open < 0) {
      literal += text.slice(at);
      break;
    }
    const close = text.indexOf('}', open);
    if (close < 0) {
      throw new InvalidTemplateError(
        `'${text.slice(open, open + 40)}' at ${open} opens a placeholder without a closing brace; to write the literal text, use \${$}{`,
      );
    }
    literal += text.slice(at, open);
    const name = text.slice(open + 2, close);
    at = close + 1;
    if (name === '$') {
      literal += '$';
      continue;
    }
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push(toPlaceholder(name));
  }
  if (literal !== '') parts.push(literal);
  return parts;
}

/** Returns the text that a template without placeholders renders to; undefined for other templates. @throws InvalidTemplateError */
export function literalOf(text: string): string | undefined {
  const parts = parseTemplate(text);
  return parts.every((part) => typeof part === 'string') ? parts.join('') : undefined;
}

function toPlaceholder(name: string): Placeholder {
  const inner = name.startsWith('.') ? name.slice(1) : name;
  return { source: `\${${name}}`, path: inner === '' ? [] : inner.split('.'), loose: !NAME.test(name) };
}
