import * as z from 'zod';
import { NeverRetry } from '../errors.ts';
import { expression, isJsonPath, literalOfExpression } from '../jsonpath/expression.ts';
import { redactedText } from '../redacted-text.ts';
import { parseTemplate } from '../template/parse.ts';
import type { MissingVariable } from '../template/template.ts';
import { meets, type TextConstraint } from '../text-constraint.ts';
import { compileOptional } from './optional-expression.ts';

/** The flag is one bit in a packet, so some devices write it as a number. */
const VALUES: Readonly<Record<string, boolean>> = { true: true, false: false, '1': true, '0': false };

const RETAIN: TextConstraint = { expected: 'true or false', isMet: (text) => Object.hasOwn(VALUES, text) };

/** Schema of the option `retain`: a boolean, or an expression that renders to one. */
export const retainOption = z.union([
  z.boolean(),
  expression
    .min(1)
    .check(meets(RETAIN, literalOfExpression))
    .check(({ value, issues }) => {
      // EMQX's documentation of its MQTT bridge has this spelling.
      if (!isJsonPath(value) && hasPlaceholder(value, 'falgs'))
        issues.push({ code: 'custom', message: '${flags.retain}', input: value });
    }),
]);

function hasPlaceholder(template: string, name: string): boolean {
  return parseTemplate(template).some((part) => typeof part === 'object' && part.path[0] === name);
}

/**
 * Compiles the option `retain`. A message for which it renders nothing is not retained, nor is one whose flag is unknown to
 * `${flags.retain}`.
 *
 * @returns a function that throws NeverRetry INVALID_TARGET for another text.
 */
export function compileRetain(
  option: z.output<typeof retainOption>,
  missingVariable: MissingVariable,
): (scope: object, event: object) => boolean {
  if (typeof option === 'boolean') return () => option;
  const read = compileOptional(option, missingVariable, 'flags.retain');
  return (scope, event) => {
    const text = read(scope, event);
    if (text === undefined) return false;
    const value = Object.hasOwn(VALUES, text) ? VALUES[text] : undefined;
    if (value !== undefined) return value;
    throw new NeverRetry(
      'INVALID_TARGET',
      `retain rendered to ${redactedText(text, undefined)}; expected ${RETAIN.expected}`,
    );
  };
}
