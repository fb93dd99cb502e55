import { createHash } from 'node:crypto';
import type { MqttRecord } from '../core/record.ts';
import { type StepsPart, stepsOf } from '../core/steps.ts';
import type { OwedChildren } from './message.ts';

const FINGERPRINT_DIGITS = 12;

/** Fingerprint of a task's steps, which decide how many children a message has and which number each has. */
export function fingerprintOf(spec: StepsPart): string {
  return createHash('sha256')
    .update(JSON.stringify(stepsOf(spec)))
    .digest('hex')
    .slice(0, FINGERPRINT_DIGITS);
}

/** Numbers the records that one record became. One alone keeps its id. */
export function numbered(records: readonly MqttRecord[]): readonly MqttRecord[] {
  return records.length === 1 ? records : records.map((record, n) => record.child(n));
}

const FIRST = [0] as const;

/** Numbers of the children to deliver; all of them where the known ones belong to another configuration. */
export function stillOwed(known: OwedChildren | undefined, fingerprint: string, count: number): readonly number[] {
  if (count === 1) return FIRST;
  const isKnown = known?.by === fingerprint && known.numbers.every((child) => child < count);
  return isKnown ? known.numbers : Array.from({ length: count }, (_, child) => child);
}
