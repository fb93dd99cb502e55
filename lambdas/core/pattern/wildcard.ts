import { reject } from './value.ts';

/**
 * Compiles a text in which `*` matches any run of characters; `\*` and `\\` are a literal star and backslash. The matcher
 * finds the pieces between the stars from left to right, each at its first position, so it never backtracks.
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

/** Splits the text at its stars into literal pieces. */
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
