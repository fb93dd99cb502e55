import type * as z from 'zod';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import type { Resource } from './assembly.ts';
import type { Resolve } from './resolve.ts';

/** The properties of a resource type that one process emulates. */
export interface EmulatedType<Schema extends z.ZodObject> {
  readonly schema: Schema;
  /** Properties that make no difference in one process, such as encryption and tags. Their values are not even resolved. */
  readonly ignored: readonly string[];
}

const NEXT_STEP = 'Remove it, or run the stack on LocalStack';

/**
 * Reads a resource's properties, with their defaults.
 *
 * @param name Names the resource in errors.
 * @throws InvalidOptionError when the resource has a property, or a value of one, that one process does not emulate.
 */
export function readProperties<Schema extends z.ZodObject>(
  name: string,
  { Type, Properties = {} }: Resource,
  resolve: Resolve,
  { schema, ignored }: EmulatedType<Schema>,
): z.output<Schema> {
  const declared = Object.entries(Properties).filter(([property]) => !ignored.includes(property));
  for (const [property, value] of declared) {
    if (!Object.hasOwn(schema.shape, property))
      throw new InvalidOptionError(`${name}.${property}`, value, `none: one process does not emulate it. ${NEXT_STEP}`);
  }
  const resolved = Object.fromEntries(declared.map(([property, value]) => [property, resolve(value)]));
  return parseOptions(
    schema,
    resolved,
    `${name} (${Type})`,
    () => `none: one process does not emulate it. ${NEXT_STEP}`,
  );
}
