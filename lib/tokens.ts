import { Token, Tokenization } from 'aws-cdk-lib';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';

/** Describes a CDK token in errors, because the token's text looks like a template. */
export const CDK_TOKEN = described('a CDK token, which is only known at deployment');

/** Values that are only known at deployment, by the names of their environment variables. */
export type DeployTimeEnvironment = Record<string, string>;

/**
 * Moves CDK tokens from a spec to the environment. A token's text looks like a template, so the worker would render one that stays.
 *
 * @param allowed Paths at which the whole value may be a token, or text with tokens.
 * @param name Prefix of the option names in errors.
 * @throws InvalidOptionError for a token at another path.
 */
export function moveTokens(
  spec: unknown,
  allowed: ReadonlySet<string>,
  name: string,
  environment: DeployTimeEnvironment,
): unknown {
  return move(spec, '');

  function move(value: unknown, path: string): unknown {
    if (Token.isUnresolved(value)) {
      if (typeof value !== 'string' || !allowed.has(path)) {
        throw new InvalidOptionError(
          `${name}.${path}`,
          CDK_TOKEN,
          'a value known at synth; only the whole value of a target can be a token',
        );
      }
      if (isTemplate(value)) {
        throw new InvalidOptionError(
          `${name}.${path}`,
          described('a template with a CDK token in it'),
          'a template known at synth, or a name that is only known at deployment',
        );
      }
      const variable = path.replace(/[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
      environment[variable] = value;
      return { $env: variable };
    }
    const at = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`);
    if (Array.isArray(value)) return value.map((element, i) => move(element, at(i)));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [move(key, at('<key>')) as string, move(inner, at(key))]),
    );
  }
}

// The tokens are left out, because their text looks like placeholders.
function isTemplate(text: string): boolean {
  const known: string = Tokenization.reverseString(text)
    .mapTokens({ mapToken: () => ' ' })
    .join({ join: (left, right) => `${left}${right}` });
  return known.includes('${') || /^\$[.[]/.test(known);
}
