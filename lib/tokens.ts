import { Token, Tokenization } from 'aws-cdk-lib';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';

/** Stands in errors for a CDK token, whose own text looks like a template. */
export const CDK_TOKEN = described('a CDK token, which is only known at deployment');

/** Values that only the deployment knows, under the names of the environment variables that will hold them. */
export type DeployTimeEnvironment = Record<string, string>;

/**
 * Takes CDK tokens out of a spec before it is parsed: a token's text looks like one of our templates, so one left in place
 * would be rendered. A whole value at an allowed path moves to the environment.
 *
 * @throws InvalidOptionError for a token anywhere else.
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
          'a value known at synth; tokens can be the whole of a target only',
        );
      }
      if (isTemplate(value)) {
        throw new InvalidOptionError(
          `${name}.${path}`,
          described('a template with a CDK token in it'),
          'either of the two: a template known at synth, or a name that the deployment knows',
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

// Without its tokens, whose own text looks like placeholders.
function isTemplate(text: string): boolean {
  const known: string = Tokenization.reverseString(text)
    .mapTokens({ mapToken: () => ' ' })
    .join({ join: (left, right) => `${left}${right}` });
  return known.includes('${') || /^\$[.[]/.test(known);
}
