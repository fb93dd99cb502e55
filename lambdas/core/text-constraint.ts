import type * as z from 'zod';

/** A constraint on the text of an option, such as a stream name, once its template is rendered. */
export interface TextConstraint {
  /** What an error names as expected, such as `1 to 128 letters, digits, _, . and -`. */
  readonly expected: string;
  readonly isMet: (text: string) => boolean;
  /** Matches a character that the text must not have; absent where the constraint is not about characters. */
  readonly refused?: RegExp;
}

/**
 * Makes a zod check of an option by the constraint on its rendered text, so that a text that no message can correct is
 * refused at synth.
 *
 * @param literal Returns the text that the option renders to for every message; undefined when it depends on the message.
 */
export function meets({ isMet, expected }: TextConstraint, literal: (option: string) => string | undefined) {
  return (context: z.core.ParsePayload<string>): void => {
    const text = literal(context.value);
    if (text === undefined || isMet(text)) return;
    context.issues.push({ code: 'custom', message: `${expected}, or a template`, input: context.value });
  };
}
