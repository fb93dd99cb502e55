import { NeverRetry } from '../errors.ts';
import { PAYLOAD_BYTES } from '../rule-output.ts';
import { lookup } from './lookup.ts';
import { type Part, type Placeholder, parseTemplate } from './parse.ts';
import { valueText } from './value-text.ts';

/**
 * How a placeholder without a value renders. `fail` dead-letters the message with TEMPLATE_VARIABLE_MISSING, `empty` renders
 * an empty text (as EMQX's MQTT and Kafka sinks do), and `undefined` renders this word (as EMQX's Kinesis, RocketMQ and
 * republish do).
 */
export type MissingVariable = 'fail' | 'empty' | 'undefined';

export interface TemplateOptions {
  /** @default 'fail' */
  readonly missingVariable?: MissingVariable;
  /** Whether null counts as missing: for targets and keys, where `null` would collect unrelated messages. @default false */
  readonly nullIsMissing?: boolean;
}

/** A compiled `${…}` template. A value is never read as a template itself. */
export interface Template {
  /** The paths that the template reads, outermost name first. `[]` is the whole scope. */
  readonly paths: readonly (readonly string[])[];
  /** Renders to UTF-8. `${payload}` alone gives the payload's bytes unchanged. @throws NeverRetry as {@link renderText}. */
  render(scope: object): Uint8Array;
  /**
   * Renders to text.
   *
   * @throws NeverRetry TEMPLATE_VARIABLE_MISSING by `missingVariable`; INVALID_PAYLOAD when a field is read from a payload that
   *   is not JSON, or the text is not well-formed Unicode.
   */
  renderText(scope: object): string;
}

/**
 * Compiles a template: `${name}`, `${a.b}`, `${.}` for the whole scope as JSON, `${$}` for a dollar sign (EMQX, "Data
 * Integration": variable extraction). A path cannot name list elements.
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
    // A lone surrogate, escaped in the payload, has no UTF-8 form: encoding would change the data unnoticed.
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

// EMQX renders `undefined` for fields that a SELECT left undefined. An absent payload_encoding was never selected.
const wholeWithUndefined = (scope: object) =>
  JSON.stringify(scope, (key, value) => (value === undefined && key !== 'payload_encoding' ? 'undefined' : value));
