import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 250;
const PROGRESS_MS = 5_000;

export interface HealthOptions {
  readonly timeoutMs: number;
  readonly progress: (line: string) => void;
  /** The reason to stop waiting; undefined while the start may still succeed. */
  readonly hasEnded: () => string | undefined;
}

/** Waits until LocalStack answers. @throws when it ends first, or takes too long. */
export async function healthy(endpointUrl: string, { timeoutMs, progress, hasEnded }: HealthOptions): Promise<void> {
  const started = Date.now();
  let nextProgress = PROGRESS_MS;
  while (!(await answers(endpointUrl))) {
    const ended = hasEnded();
    if (ended !== undefined) throw new Error(`LocalStack ended while starting: ${ended}`);
    const elapsed = Date.now() - started;
    if (elapsed > timeoutMs) throw new Error(`LocalStack did not answer within ${timeoutMs / 1000} s`);
    if (elapsed >= nextProgress) {
      progress(`… ${Math.round(elapsed / 1000)} s`);
      nextProgress += PROGRESS_MS;
    }
    await sleep(POLL_MS);
  }
}

async function answers(endpointUrl: string): Promise<boolean> {
  try {
    const { ok, body } = await fetch(`${endpointUrl}/_localstack/health`, { signal: AbortSignal.timeout(5_000) });
    await body?.cancel();
    return ok;
  } catch {
    return false;
  }
}
