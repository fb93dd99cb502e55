import * as z from 'zod';

/**
 * A schema of objects with values, and optionally keys, of one schema. It keeps every own key; zod's `record` drops one named
 * `__proto__`.
 */
export function objectOf<Value>(
  value: z.ZodType<Value>,
  key: z.ZodType<string> = z.string(),
): z.ZodType<Readonly<Record<string, Value>>> {
  const object = z.unknown().check((context) => {
    const given = context.value;
    if (typeof given !== 'object' || given === null || Array.isArray(given)) {
      context.issues.push({ code: 'custom', message: 'an object', input: given });
      return;
    }
    for (const [name, inner] of Object.entries(given)) {
      const issues = [...(key.safeParse(name).error?.issues ?? []), ...(value.safeParse(inner).error?.issues ?? [])];
      for (const { path, message } of issues)
        context.issues.push({ code: 'custom', path: [name, ...path], message, input: inner });
    }
  });
  return (object as z.ZodType<Readonly<Record<string, Value>>>).meta({ type: 'object', additionalProperties: {} });
}
