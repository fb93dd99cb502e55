import { NeverRetry, type Stage } from '../core/errors.ts';

/** An unexpected error of a stage dead-letters its message, so that the batch goes on. */
export function asNeverRetry(error: unknown, stage: Stage): NeverRetry {
  if (error instanceof NeverRetry) return error;
  return new NeverRetry('CRASHED', `${stage} failed: ${nameOf(error)}`, { cause: error });
}

/** An error's name and code. Its text may quote the payload, so neither a dead letter nor the log holds that. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return `it threw a ${typeof error}`;
  const { name, code } = error as Error & { code?: unknown };
  return [name, code].filter((word) => typeof word === 'string' && /^\w{1,64}$/.test(word)).join(' ') || 'an error';
}
