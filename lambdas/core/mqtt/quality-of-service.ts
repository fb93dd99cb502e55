import * as z from 'zod';
import { NeverRetry } from '../errors.ts';
import { expression, literalOfExpression } from '../jsonpath/expression.ts';
import { redactedText } from '../redacted-text.ts';
import type { MissingVariable } from '../template/template.ts';
import { meets, type TextConstraint } from '../text-constraint.ts';
import { compileOptional } from './optional-expression.ts';

/** At most once, at least once, exactly once (MQTT 5, section 4.3). */
export type QualityOfService = 0 | 1 | 2;

// Devices that count in floats write 1 as 1.0.
const QOS: TextConstraint = { expected: '0, 1 or 2', isMet: (text) => /^[012](\.0+)?$/.test(text), refused: /[^012.]/ };

/** Schema of the option `qos`: a number, or an expression that renders to one. */
export const qosOption = z.union([
  z.literal(0),
  z.literal(1),
  z.literal(2),
  expression.min(1).check(meets(QOS, literalOfExpression)),
]);

/**
 * Compiles the option `qos`. A message for which it renders nothing has QoS 0, and so has one whose QoS is unknown to `${qos}`.
 *
 * @returns a function that throws NeverRetry INVALID_TARGET for another number.
 */
export function compileQos(
  option: z.output<typeof qosOption>,
  missingVariable: MissingVariable,
): (scope: object, event: object) => QualityOfService {
  if (typeof option === 'number') return () => option;
  const read = compileOptional(option, missingVariable, 'qos');
  return (scope, event) => {
    const text = read(scope, event);
    if (text === undefined) return 0;
    if (QOS.isMet(text)) return Number(text) as QualityOfService;
    throw new NeverRetry(
      'INVALID_TARGET',
      `qos rendered to ${redactedText(text, QOS.refused)}; expected ${QOS.expected}`,
    );
  };
}
