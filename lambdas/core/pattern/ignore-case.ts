/** Compares a text, ignoring case, with the start, the end or the whole of another. */
export interface Folded {
  isStartOf(text: string): boolean;
  isEndOf(text: string): boolean;
  equals(text: string): boolean;
}

/**
 * Ignores case character by character, as AWS does: each character of the pattern matches itself, its lower case and its
 * upper case. So `ß` in a pattern matches `SS` but `SS` does not match `ß`, and `Σ` matches `σ` but never `ς`.
 */
export function folded(pattern: string): Folded {
  const spellings = Array.from({ length: pattern.length }, (_, i) => spellingsOf(pattern.charAt(i)));
  const walk = spellings.every((each) => each.every((s) => s.length === 1)) ? unitWalk(pattern) : textWalk(spellings);
  return {
    isStartOf: (text) => walk.forward(text) >= 0,
    isEndOf: (text) => walk.backward(text),
    equals: (text) => walk.forward(text) === text.length,
  };
}

interface Walk {
  /** Returns the length of the match at the start of the text; -1 without a match. */
  forward(text: string): number;
  /** Whether the text ends with a match. */
  backward(text: string): boolean;
}

function spellingsOf(character: string): string[] {
  return [...new Set([character, character.toLowerCase(), character.toUpperCase()])];
}

/** The usual case: every spelling of every character is one UTF-16 code unit. */
function unitWalk(pattern: string): Walk {
  const { length } = pattern;
  const lower = Array.from({ length }, (_, i) => pattern.charAt(i).toLowerCase().charCodeAt(0));
  const upper = Array.from({ length }, (_, i) => pattern.charAt(i).toUpperCase().charCodeAt(0));
  const isAt = (text: string, offset: number): boolean => {
    if (offset < 0 || offset + length > text.length) return false;
    for (let i = 0; i < length; i++) {
      const c = text.charCodeAt(offset + i);
      if (c !== lower[i] && c !== upper[i] && c !== pattern.charCodeAt(i)) return false;
    }
    return true;
  };
  return {
    forward: (text) => (isAt(text, 0) ? length : -1),
    backward: (text) => isAt(text, text.length - length),
  };
}

/** Spellings of several units. No spelling of a character starts or ends another one, so the walk never backtracks. */
function textWalk(spellings: readonly string[][]): Walk {
  return {
    forward(text) {
      let at = 0;
      for (const each of spellings) {
        const found = each.find((spelling) => text.startsWith(spelling, at));
        if (found === undefined) return -1;
        at += found.length;
      }
      return at;
    },
    backward(text) {
      let end = text.length;
      for (const each of spellings.toReversed()) {
        const found = each.find((spelling) => text.endsWith(spelling, end));
        if (found === undefined) return false;
        end -= found.length;
      }
      return true;
    },
  };
}
