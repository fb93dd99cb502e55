import type * as z from 'zod';
import { described, InvalidOptionError } from './errors.ts';
import { parseOptions } from './options.ts';
import type { RouteTo } from './spec.ts';

/** The schema of a sink's options, and which of them a route may override. */
export interface SinkOptions<Sink extends z.ZodType = z.ZodType> {
  /** The schema of the spec's `sink`. */
  readonly options: Sink;
  /** Names of the options that are rendered for each message. A route may override these; the others hold for the whole sink. */
  readonly routed: readonly string[];
}

/**
 * Returns the sink's options with those that a route overrides.
 *
 * @param name Prefix of the option names in errors.
 * @throws InvalidOptionError for an option that a route cannot override, and as {@link parseOptions}.
 */
export function routedOptions<Sink extends z.ZodType>(
  { options: schema, routed }: SinkOptions<Sink>,
  options: z.output<Sink>,
  { sink: overrides }: RouteTo,
  name: string,
): z.output<Sink> {
  const other = Object.keys(overrides).find((option) => !routed.includes(option));
  if (other !== undefined) {
    // The value stays out of the error: under an unknown name it may be a password.
    const expected = `one of ${routed.join(', ')}: the sink's other options hold for every route`;
    throw new InvalidOptionError(`${name}.${other}`, described('an option that routes cannot override'), expected);
  }
  return parseOptions(schema, { ...(options as object), ...overrides }, name);
}
