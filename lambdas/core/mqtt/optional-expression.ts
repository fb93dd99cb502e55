import { compileExpression, isJsonPath } from '../jsonpath/expression.ts';
import { lookup } from '../template/lookup.ts';
import { parseTemplate } from '../template/parse.ts';
import type { MissingVariable } from '../template/template.ts';

/**
 * Compiles an expression of an option that a message may do without. It gives undefined when a JSONPath finds nothing, and when a
 * template renders an empty text.
 *
 * @param unknown Name of a placeholder that, alone, gives undefined for a message that has no such value: AWS IoT Core does not report
 *   how its clients published a message.
 * @param missingVariable How other placeholders without a value render; the word `undefined` counts as an empty text.
 */
export function compileOptional(
  text: string,
  missingVariable: MissingVariable,
  unknown?: string,
): (scope: object, event: object) => string | undefined {
  const { text: render } = compileExpression(text, missingVariable === 'fail' ? 'fail' : 'empty');
  const read = (scope: object, event: object) => render(scope, event) || undefined;
  if (unknown === undefined || isJsonPath(text)) return read;
  const [part, ...rest] = parseTemplate(text);
  if (rest.length > 0 || typeof part !== 'object' || part.path.join('.') !== unknown) return read;
  return (scope, event) => ((lookup(scope, part.path) ?? null) === null ? undefined : read(scope, event));
}
