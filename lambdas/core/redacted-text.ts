/**
 * Describes a text without repeating it, for errors that reach logs and dead letters: its length, and the class of the first
 * refused character, such as `12 characters with a space at position 3`.
 *
 * @param refused Matches a character that the text must not have; undefined where characters are not the reason.
 */
export function redactedText(text: string, refused: RegExp | undefined): string {
  if (text === '') return 'nothing';
  const at = refused === undefined ? -1 : text.search(refused);
  const where = at < 0 ? '' : ` with a ${characterClass(text, at)} at position ${at}`;
  return `${text.length} characters${where}`;
}

/** Names the class of the character at a position, such as `letter` or `control character`. */
export function characterClass(text: string, at: number): string {
  const character = String.fromCodePoint(text.codePointAt(at)!);
  return CLASSES.find(([pattern]) => pattern.test(character))![1];
}

const CLASSES: readonly (readonly [RegExp, string])[] = [
  [/\p{Cc}/u, 'control character'],
  [/\s/u, 'space'],
  [/[A-Za-z]/, 'letter'],
  [/[0-9]/, 'digit'],
  [/["'`]/, 'quote'],
  [/^[!-~]$/, 'punctuation mark'],
  [/\p{Cs}/u, 'half of a surrogate pair'],
  [/(?:)/, 'character outside ASCII'],
];
