import { NeverRetry } from '../errors.ts';
import { PAYLOAD_BYTES } from '../rule-output.ts';
import { lookup } from './lookup.ts';
import { type Part, type Placeholder, parseTemplate } from './parse.ts';
import { valueText } from './value-text.ts';

/**
 * What a placeholder without a value does: `fail` refuses the message with TEMPLATE_VARIABLE_MISSING, `empty` writes nothing
 * (EMQX's MQTT and Kafka sinks), `undefined` writes that word (EMQX's Kinesis, RocketMQ and republish).
 */
export type MissingVariable = 'fail' | 'empty' | 'undefined';

export interface TemplateOptions {
  /** @default 'fail' */
  readonly missingVariable?: MissingVariable;
  /** Treat null as missing: for targets and keys, where the word `null` would gather every such message. @default false */
  readonly nullIsMissing?: boolean;
}

/** A compiled `${…}` template. Values are data: what they hold is never read as a template again. */
export interface Template {
  /** The paths it reads, outermost name first; `[]` is the whole scope. */
  readonly paths: readonly (readonly string[])[];
  /** The text as UTF-8; `${payload}` alone gives the payload's own bytes, untouched. @throws NeverRetry as {@link renderText}. */
  render(scope: object): Uint8Array;
  /** @throws NeverRetry TEMPLATE_VARIABLE_MISSING by `missingVariable`; INVALID_PAYLOAD where a field of a broken payload is read. */
  renderText(scope: object): string;
}

/**
 * Compiles a template: `${name}`, `${a.b}`, `${.}` for the whole scope as JSON, `${$}` for a dollar sign (EMQX, "Data
 * Integration": variable extraction). List elements cannot be named.
 *
 * @throws InvalidTemplateError when a placeholder is never closed.
 */
export function compileTemplate(text: string, options: TemplateOptions = {}): Template {
  const parts = parseTemplate(text);
  const write = parts.map((part) => compilePart(part, options));
  const only = parts.length === 1 && typeof parts[0] === 'object' ? parts[0] : undefined;
  const isPayload = only?.path.length === 1 && only.path[0] === 'payload';

  const renderText = (scope: object): string => {
    let out = '';
    for (const part of write) out += part(scope);
    // A lone surrogate, escaped in the payload, has no UTF-8: encoding it would change the data in silence.
    if (!out.isWellFormed())
      throw new NeverRetry('INVALID_PAYLOAD', `${text} renders text that is not well-formed Unicode`);
    return out;
  };
  return {
    paths: parts.filter((part) => typeof part === 'object').map((part) => part.path),
    renderText,
    render: (scope) =>
      isPayload && PAYLOAD_BYTES in scope
        ? (scope[PAYLOAD_BYTES] as Uint8Array)
        : Buffer.from(renderText(scope), 'utf8'),
  };
}

function compilePart(
  part: Part,
  { missingVariable = 'fail', nullIsMissing = false }: TemplateOptions,
): (scope: object) => string {
  if (typeof part === 'string') return () => part;
  const { path } = part;
  const missing = whenMissing(part, missingVariable);
  if (path.length === 0) return missingVariable === 'undefined' ? wholeWithUndefined : valueText;
  return (scope) => {
    let value: unknown;
    try {
      value = lookup(scope, path);
    } catch (error) {
      if (missingVariable === 'fail' || !(error instanceof NeverRetry)) throw error;
    }
    return value === undefined || (nullIsMissing && value === null) ? missing() : valueText(value);
  };
}

function whenMissing({ source, loose }: Placeholder, missingVariable: MissingVariable): () => string {
  if (missingVariable === 'fail') {
    return () => {
      throw new NeverRetry('TEMPLATE_VARIABLE_MISSING', `${source} has no value in this message`);
    };
  }
  if (loose) return () => source;
  return missingVariable === 'empty' ? () => '' : () => 'undefined';
}

// EMQX writes the word for what a SELECT left undefined; a rule output's absent payload_encoding was never selected.
const wholeWithUndefined = (scope: object) =>
  JSON.stringify(scope, (key, value) => (value === undefined && key !== 'payload_encoding' ? 'undefined' : value));
