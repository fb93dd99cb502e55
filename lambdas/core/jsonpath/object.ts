import * as z from 'zod';
import { stringifyJson } from '../json.ts';
import { objectOf } from '../object-schema.ts';
import type { MissingVariable } from '../template/template.ts';
import { compileExpression, type Expression, expression } from './expression.ts';

/** A JSON object whose values are expressions, numbers, booleans or null. */
export const jsonObject = objectOf(z.union([expression, z.number(), z.boolean(), z.null()]));
export type JsonObject = z.infer<typeof jsonObject>;

/** Compiles a JSON object. Its keys keep their order, and a JSONPath that finds nothing gives null. */
export function compileObject(object: JsonObject, missingVariable: MissingVariable): Pick<Expression, 'bytes'> {
  const fields = Object.entries(object).map(([name, given]) => {
    const key = JSON.stringify(name);
    if (typeof given !== 'string') return { key, value: () => given };
    return { key, value: compileExpression(given, missingVariable).value };
  });
  return {
    bytes(scope, event) {
      const written = fields.map(({ key, value }) => `${key}:${stringifyJson(value(scope, event) ?? null)}`);
      return Buffer.from(`{${written.join(',')}}`, 'utf8');
    },
  };
}
