/** Escapes and classes, which stand for one character each. */
const ONE_CHARACTER = /\\[pP]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]/gs;
const QUANTIFIER = /[*+?{]/;
const REPETITION = /[*+{]/;

/** Number of quantifiers, which is the degree by which the time of a pattern grows beyond the text's length. */
export function quantifiersOf(pattern: string): number {
  return [...withoutClasses(pattern)].filter((character) => QUANTIFIER.test(character)).length;
}

/** Whether a group repeats that holds a quantifier or alternatives, as in `(a+)*`: such a pattern may take exponential time. */
export function repeatsVariableGroup(pattern: string): boolean {
  const text = withoutClasses(pattern);
  const isVariable = [false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '(') isVariable.push(false);
    else if (character === ')') {
      if (isVariable.pop() && REPETITION.test(text[at + 1] ?? '')) return true;
    } else if (character === '|' || QUANTIFIER.test(character)) isVariable.fill(true);
  }
  return false;
}

function withoutClasses(pattern: string): string {
  return pattern.replace(ONE_CHARACTER, '_');
}
