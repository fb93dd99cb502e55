import { reject } from './value.ts';

/**
 * Compiles a text in which `*` stands for any run of characters and `\*` and `\\` for themselves. The pieces between
 * the stars are looked for from left to right, each at its first place, so no text makes it go back.
 */
export function wildcard(pattern: string, at: string): (text: string) => boolean {
  const [first = '', ...pieces] = split(pattern, at);
  const last = pieces.pop();
  if (last === undefined) return (text) => text === first;
  return (text) => {
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let from = first.length;
    for (const piece of pieces) {
      const found = text.indexOf(piece, from);
      if (found < 0) return false;
      from = found + piece.length;
      if (from > end) return false;
    }
    return true;
  };
}

/** The literal pieces around the stars: one more than there are stars. */
function split(pattern: string, at: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern.charAt(i);
    if (c === '*') {
      if (pattern[i + 1] === '*') reject(at, pattern, 'no two wildcards side by side');
      pieces.push(piece);
      piece = '';
    } else if (c === '\\') {
      const escaped = pattern[++i];
      if (escaped !== '*' && escaped !== '\\') reject(at, pattern, 'no escapes but \\* and \\\\');
      piece += escaped;
    } else piece += c;
  }
  return [...pieces, piece];
}
