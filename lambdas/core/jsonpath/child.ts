import { ExactNumber } from '../json.ts';

/** Returns a member of an object or an element of an array; undefined for other values. */
export function childAt(value: unknown, step: string | number): unknown {
  if (!isContainer(value)) return undefined;
  if (Array.isArray(value)) return typeof step === 'number' ? value.at(step) : undefined;
  return typeof step === 'string' && Object.hasOwn(value, step) ? value[step as never] : undefined;
}

export function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof ExactNumber);
}
