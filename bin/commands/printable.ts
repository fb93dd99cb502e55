const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
// Controls, what reorders or hides text, line separators, and halves of characters.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text of a device or a sink, for one line of a terminal: nothing in it moves the cursor, colours, or reorders. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (found) => ESCAPES[found] ?? escaped(found));
}

/** JSON for a terminal as well as for programs: what would act on the former is escaped as JSON allows. */
export function jsonText(value: unknown): string {
  return (JSON.stringify(value, null, 2) ?? 'null').replace(UNPRINTABLE, (found) =>
    found === '\n' ? found : escaped(found),
  );
}

function escaped(found: string): string {
  return Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`).join(
    '',
  );
}
