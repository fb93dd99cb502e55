/** An entry of {@link Deadlines}, by which its item can be removed early. */
export interface Deadline<T> {
  readonly at: number;
  readonly item: T;
  /** Breaks ties: of two entries with the same time, the one added first is due first. */
  readonly order: number;
  /** Index in the heap. */
  slot: number;
}

/**
 * Items by the time they are due. It is a binary heap whose entries know their index, so that an item can be removed early.
 * Adding in order of time costs one comparison.
 */
export class Deadlines<T> {
  readonly #heap: Deadline<T>[] = [];
  #added = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The entry due first. */
  get next(): Deadline<T> | undefined {
    return this.#heap[0];
  }

  add(at: number, item: T): Deadline<T> {
    const deadline = { at, item, order: this.#added++, slot: this.#heap.length };
    this.#heap.push(deadline);
    this.#rise(deadline);
    return deadline;
  }

  remove(deadline: Deadline<T>): void {
    const last = this.#heap.pop()!;
    if (last === deadline) return;
    this.#put(last, deadline.slot);
    this.#rise(last);
    this.#sink(last);
  }

  /** The items, in the order they are due. */
  inOrder(): T[] {
    return this.#heap.toSorted((a, b) => (isBefore(a, b) ? -1 : 1)).map(({ item }) => item);
  }

  #put(deadline: Deadline<T>, slot: number): void {
    this.#heap[slot] = deadline;
    deadline.slot = slot;
  }

  #rise(deadline: Deadline<T>): void {
    let slot = deadline.slot;
    while (slot > 0) {
      const parent = this.#heap[(slot - 1) >> 1]!;
      if (!isBefore(deadline, parent)) break;
      const free = parent.slot;
      this.#put(parent, slot);
      slot = free;
    }
    this.#put(deadline, slot);
  }

  #sink(deadline: Deadline<T>): void {
    let slot = deadline.slot;
    for (;;) {
      const left = this.#heap[2 * slot + 1];
      const right = this.#heap[2 * slot + 2];
      const child = left && right && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, deadline)) break;
      const free = child.slot;
      this.#put(child, slot);
      slot = free;
    }
    this.#put(deadline, slot);
  }
}

function isBefore(a: Deadline<unknown>, b: Deadline<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
