import * as z from 'zod';
import { InvalidTemplateError, NeverRetry } from '../errors.ts';
import { stringifyJson } from '../json.ts';
import { literalOf, parseTemplate } from '../template/parse.ts';
import { compileTemplate, type MissingVariable } from '../template/template.ts';
import { valueText } from '../template/value-text.ts';
import { compileJsonPath, isPlainPath } from './jsonpath.ts';

/**
 * A compiled option: a JSONPath over the event when the text is `$` or begins with `$.` or `$[`, else a `${…}` template over
 * the rule output.
 */
export interface Expression {
  /** The value that a JSONPath finds, undefined for none or null; the text of a template. @throws NeverRetry */
  value(scope: object, event: object): unknown;
  /** {@link value} as text, formatted as templates do. @throws NeverRetry */
  text(scope: object, event: object): string | undefined;
  /** The value as a message body: null is JSON, and `${payload}` gives the original bytes. @throws NeverRetry also without a value. */
  bytes(scope: object, event: object): Uint8Array;
}

const JSON_PATH = /^\$(?=[.[]|$)/;

/** The schema of a template or a JSONPath. It checks the syntax; whether a path finds a value depends on each message. */
export const expression = z.string().check((context) => {
  try {
    if (isJsonPath(context.value)) compileJsonPath(context.value);
    else parseTemplate(context.value);
  } catch (error) {
    if (!(error instanceof InvalidTemplateError)) throw error;
    context.issues.push({
      code: 'custom',
      message: `a template or a JSONPath (${error.message})`,
      input: context.value,
    });
  }
});

export function isJsonPath(text: string): boolean {
  return JSON_PATH.test(text);
}

/** Loads what the texts of `options` need to be compiled: a function whose options have plain paths alone loads nothing. */
export async function loadExpressions(options: unknown): Promise<void> {
  const texts = [options];
  for (const one of texts) {
    if (typeof one === 'string' && isJsonPath(one) && !isPlainPath(one)) {
      await import('./every-path.ts');
      return;
    }
    if (typeof one === 'object' && one !== null) texts.push(...Object.values(one));
  }
}

/** Whether the expression's value depends on the message. */
export function isRendered(text: string): boolean {
  return literalOfExpression(text) === undefined;
}

/** Returns the text of an expression that does not depend on the message; undefined for others. @throws InvalidTemplateError */
export function literalOfExpression(text: string): string | undefined {
  return isJsonPath(text) ? undefined : literalOf(text);
}

/** @throws InvalidTemplateError */
export function compileExpression(text: string, missingVariable: MissingVariable): Expression {
  return isJsonPath(text) ? ofJsonPath(text) : ofTemplate(text, missingVariable);
}

function ofTemplate(text: string, missingVariable: MissingVariable): Expression {
  const { renderText } = compileTemplate(text, { missingVariable, nullIsMissing: true });
  const { render } = compileTemplate(text, { missingVariable });
  return { value: renderText, text: renderText, bytes: render };
}

function ofJsonPath(path: string): Expression {
  const { read } = compileJsonPath(path);
  const value = (event: object) => read(event) ?? undefined;
  return {
    value: (_, event) => value(event),
    text(_, event) {
      const found = value(event);
      return found === undefined ? undefined : wellFormed(valueText(found));
    },
    bytes(_, event) {
      const found = read(event);
      if (found === undefined)
        throw new NeverRetry('TEMPLATE_VARIABLE_MISSING', `${path} has no value in this message`);
      return Buffer.from(wellFormed(typeof found === 'string' ? found : stringifyJson(found)), 'utf8');
    },
  };

  function wellFormed(text: string): string {
    if (text.isWellFormed()) return text;
    throw new NeverRetry('INVALID_PAYLOAD', `${path} finds text that is not well-formed Unicode`);
  }
}
