import { InvalidTemplateError } from '../errors.ts';

/** A template taken apart: text that stands for itself, and placeholders. */
export type Part = string | Placeholder;

export interface Placeholder {
  /** As written, braces included. */
  readonly source: string;
  /** Names from the scope inwards; empty for the whole scope, `${.}`. */
  readonly path: readonly string[];
  /**
   * `${my-key}`, `${tags[1]}`: of EMQX's two engines the newer one keeps such a thing as text, the older one looks it up.
   * Here it is looked up, and stays text where there is nothing of that name.
   */
  readonly loose: boolean;
}

const NAME = /^[A-Za-z0-9._]*$/;

/** @throws InvalidTemplateError when `${` is never closed. */
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
        `'${text.slice(open, open + 40)}' at ${open} opens a placeholder that nothing closes; for the text itself write \${$}{`,
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

/** What a template comes to whatever the scope; undefined when it has a placeholder. @throws InvalidTemplateError */
export function literalOf(text: string): string | undefined {
  const parts = parseTemplate(text);
  return parts.every((part) => typeof part === 'string') ? parts.join('') : undefined;
}

function toPlaceholder(name: string): Placeholder {
  const inner = name.startsWith('.') ? name.slice(1) : name;
  return { source: `\${${name}}`, path: inner === '' ? [] : inner.split('.'), loose: !NAME.test(name) };
}
