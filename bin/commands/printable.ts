const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
// Control characters, format characters that reorder or hide text, line separators, and lone surrogates.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Escapes text from devices and sinks for one line of a terminal: it cannot move the cursor, set colours or reorder text. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (found) => ESCAPES[found] ?? escaped(found));
}

/** JSON for programs and terminals: characters that would act on a terminal are JSON escapes. */
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
