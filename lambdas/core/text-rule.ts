import type * as z from 'zod';

/** What a text has to be once it is rendered. */
export interface TextRule {
  readonly expected: string;
  readonly isMet: (text: string) => boolean;
  /** Matches a character that the text may not have, where characters are what is refused. */
  readonly refused?: RegExp;
}

/**
 * A check of an option's text by the rule that its rendering is judged by, so that what no message could mend never deploys.
 *
 * @param literal The text that an option comes to whatever the message; undefined where messages decide.
 */
export function meets({ isMet, expected }: TextRule, literal: (option: string) => string | undefined) {
  return (context: z.core.ParsePayload<string>): void => {
    const text = literal(context.value);
    if (text === undefined || isMet(text)) return;
    context.issues.push({ code: 'custom', message: `${expected}, or a template`, input: context.value });
  };
}
