import { parts } from '../../localstack/setup-parts.mjs';

/** Whether a part of `npm run setup` is missing on this machine; its suites then count as skipped. */
export function isMissing(name: string): boolean {
  const part = parts.find((one) => one.name === name);
  if (part === undefined)
    throw new Error(`part: got ${name}; expected one of ${parts.map((one) => one.name).join(', ')}`);
  return !part.isReady();
}
