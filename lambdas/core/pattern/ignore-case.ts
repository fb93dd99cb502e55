/** A text compared without case at the start, at the end or over the whole of another. */
export interface Folded {
  isStartOf(text: string): boolean;
  isEndOf(text: string): boolean;
  equals(text: string): boolean;
}

/**
 * Case is ignored character by character, as AWS does: each character of the pattern stands for itself, its lower case
 * and its upper case. So a pattern's `ß` takes `SS` but its `SS` does not take `ß`, and `Σ` takes `σ` but never `ς`.
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
  /** Where the pattern ends when it starts at the text's start; -1 when it is not there. */
  forward(text: string): number;
  backward(text: string): boolean;
}

function spellingsOf(character: string): string[] {
  return [...new Set([character, character.toLowerCase(), character.toUpperCase()])];
}

/** The usual case: every spelling of every character is one UTF-16 unit. */
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

/** Spellings of several units: none starts or ends another of the same character, so there is never a choice to undo. */
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
