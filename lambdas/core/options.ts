import type * as z from 'zod';
import { described, InvalidOptionError } from './errors.ts';

/**
 * Parses options with a schema. The error lists every mistake, one a line.
 *
 * @param name Prefix of the option names in errors, such as the task's path.
 * @param insteadOf Names what to use instead of an option that does not exist; undefined when there is nothing.
 * @param restate States a mistake with the names that the user gave, if the schema has others.
 * @throws InvalidOptionError
 */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  name = '',
  insteadOf: (option: string) => string | undefined = () => undefined,
  restate: (mistake: Mistake) => Mistake = (mistake) => mistake,
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const [first, ...rest] = result.error.issues
    .flatMap((issue) => mistakesOf(issue, [name, ...issue.path], insteadOf))
    .map(restate);
  const more = rest.map((m) => `\n${new InvalidOptionError(m.option, m.given, m.expected).message}`).join('');
  throw new InvalidOptionError(first!.option, first!.given, first!.expected + more, { cause: result.error });
}

/** A value that is not what its option takes. */
export interface Mistake {
  readonly option: string;
  readonly given: unknown;
  readonly expected: string;
}

function mistakesOf(
  issue: z.core.$ZodIssue,
  path: readonly PropertyKey[],
  insteadOf: (option: string) => string | undefined,
): Mistake[] {
  const option = path.filter((part) => part !== '').join('.') || 'options';
  if (issue.code === 'unrecognized_keys') {
    // The value stays out of the error: under an unknown name it may be a password.
    return issue.keys.map((key) => ({
      option: `${option}.${key}`,
      given: described('an unknown option'),
      expected: insteadOf(key) ?? 'only options that exist; see the reference',
    }));
  }
  if (issue.code === 'invalid_union') {
    // The user meant the alternative whose mistakes all lie within its options.
    const meant = issue.errors.filter((issues) => issues.every(isWithin));
    if (meant.length === 1) return meant[0]!.flatMap((inner) => mistakesOf(inner, [...path, ...inner.path], insteadOf));
    // An alternative that already accepts the value's type explains the mistake; the others only add noise.
    const ofType = issue.errors.filter((issues) => !issues.some(({ code }) => code === 'invalid_type'));
    const branches = (ofType.length > 0 ? ofType : issue.errors).map((errors) => errors.map(expectedBy).join(' and '));
    return [{ option, given: issue.input, expected: [...new Set(branches)].join(', or ') }];
  }
  return [{ option, given: issue.input, expected: expectedBy(issue) }];
}

function isWithin(issue: z.core.$ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === 'unrecognized_keys';
}

function expectedBy({ message }: z.core.$ZodIssue): string {
  return message
    .replace(/^(Invalid (input|option)|Too (big|small)): expected (\w+ to (be|have) )?/, '')
    .replace(/^>=/, 'at least ')
    .replace(/^<=/, 'at most ')
    .replace(/^>/, 'more than ')
    .replace(/^</, 'less than ')
    .replace(/\b1 (character|item)s\b/, '1 $1')
    .replaceAll('"|"', '", "');
}
