/** Random draws from a seed. */
export interface Draw {
  /** 0 to 1, 1 excluded. */
  next(): number;
  /** A whole number, both ends included. */
  whole(from: number, to: number): number;
  oneOf<Item>(items: readonly Item[]): Item;
  shuffled<Item>(items: readonly Item[]): Item[];
  /** An independent sequence of draws. */
  fork(n: number): Draw;
}

/** @param seed Whole numbers; others give other draws. */
export function drawsOf(...seed: readonly number[]): Draw {
  let state = seed.reduce((sum, part) => Math.imul(sum ^ part, 0x9e3779b1) + 0x7f4a7c15, 0x1234567);
  // The splitmix32 mixer: short, and good enough to choose faults by.
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
  const whole = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    whole,
    oneOf: (items) => items[whole(0, items.length - 1)]!,
    shuffled(items) {
      const cards = [...items];
      for (let last = cards.length - 1; last > 0; last--) {
        const other = whole(0, last);
        [cards[last], cards[other]] = [cards[other]!, cards[last]!];
      }
      return cards;
    },
    fork: (n) => drawsOf(...seed, n),
  };
}
