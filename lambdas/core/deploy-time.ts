import * as z from 'zod';
import { InvalidOptionError } from './errors.ts';

/** A value known only at deployment: `{ $env: <name> }` names the environment variable that holds it. */
export const deployTime = z.strictObject({ $env: z.string().regex(/^[A-Z][A-Z0-9_]*$/) });
export type DeployTime = z.infer<typeof deployTime>;

/** Options with their deploy-time values. */
export type Resolved<Options> = { [Key in keyof Options]: Exclude<Options[Key], DeployTime> };

/**
 * Replaces each {@link DeployTime} among the options by its environment variable's value.
 *
 * @throws InvalidOptionError for a variable that is not set.
 */
export function resolveDeployTime<Options>(
  options: Options,
  environment: Readonly<Record<string, string | undefined>>,
): Resolved<Options> {
  const entries = Object.entries(options as object).map(([key, value]) => {
    const reference = deployTime.safeParse(value);
    if (!reference.success) return [key, value];
    const found = environment[reference.data.$env];
    if (found === undefined)
      throw new InvalidOptionError(key, undefined, `the environment variable ${reference.data.$env}`);
    return [key, found];
  });
  return Object.fromEntries(entries) as Resolved<Options>;
}
