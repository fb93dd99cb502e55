import { createHash } from 'node:crypto';
import type { TaskSpec } from '../core/spec.ts';

/** Which children of a message are still owed. Numbers alone would mean others to a task that makes other children. */
export interface OwedChildren {
  /** What made them: {@link childrenMadeBy}. */
  readonly by: string;
  readonly numbers: readonly number[];
}

const DIGITS = 12;

/** Tells what decides how many children a message has, and which is which. */
export function childrenMadeBy({ source, filter, route }: Pick<TaskSpec, 'source' | 'filter' | 'route'>): string {
  const decisive = JSON.stringify([source.subscribedTo, filter, route]);
  return createHash('sha256').update(decisive).digest('hex').slice(0, DIGITS);
}

const FIRST = [0] as const;

/** The children to deliver, of so many that the message has: all of them once more where others are known to be owed. */
export function stillOwed(known: OwedChildren | undefined, by: string, count: number): readonly number[] {
  if (count === 1) return FIRST;
  const isKnown = known?.by === by && known.numbers.every((child) => child < count);
  return isKnown ? known.numbers : Array.from({ length: count }, (_, child) => child);
}

/** As the text of an attribute. */
export function writeChildren({ by, numbers }: OwedChildren): string {
  return `${by}:${numbers.join(',')}`;
}

/** Undefined for what is no such text. */
export function readChildren(text: string | undefined): OwedChildren | undefined {
  // Almost every message: what is below costs as much as all else of reading one.
  if (text === undefined) return undefined;
  const [, by, numbers] = /^([0-9a-f]{12}):(\d{1,9}(?:,\d{1,9})*)$/.exec(text) ?? [];
  return by === undefined ? undefined : { by, numbers: numbers!.split(',').map(Number) };
}
