// Amazon SQS, "SendMessage": it refuses other characters in bodies and in attributes, such as most control characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
const REFUSED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** The text with a replacement character for each character that SQS refuses. */
export function replaced(text: string): string {
  return text.toWellFormed().replace(REFUSED, '\uFFFD');
}

/** A body that SQS takes: characters that it refuses are written as JSON's escapes, and an empty text as JSON's `""`. */
export function escaped(body: string): string {
  if (body === '') return '""';
  return body.toWellFormed().replace(REFUSED, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
