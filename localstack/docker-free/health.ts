import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 250;
const PROGRESS_MS = 5_000;

export interface HealthOptions {
  readonly timeoutMs: number;
  readonly progress: (line: string) => void;
  /** Returns how LocalStack has ended; undefined while it runs. */
  readonly exitReason: () => string | undefined;
}

/** Waits until LocalStack responds. @throws when it ends first, or does not respond in time. */
export async function waitUntilHealthy(
  endpointUrl: string,
  { timeoutMs, progress, exitReason }: HealthOptions,
): Promise<void> {
  const started = Date.now();
  let nextProgress = PROGRESS_MS;
  while (!(await responds(endpointUrl))) {
    const reason = exitReason();
    if (reason !== undefined) throw new Error(`LocalStack ended while starting: ${reason}`);
    const elapsed = Date.now() - started;
    if (elapsed > timeoutMs) throw new Error(`LocalStack did not respond within ${timeoutMs / 1000} s`);
    if (elapsed >= nextProgress) {
      progress(`… ${Math.round(elapsed / 1000)} s`);
      nextProgress += PROGRESS_MS;
    }
    await sleep(POLL_MS);
  }
}

async function responds(endpointUrl: string): Promise<boolean> {
  try {
    const { ok, body } = await fetch(`${endpointUrl}/_localstack/health`, { signal: AbortSignal.timeout(5_000) });
    await body?.cancel();
    return ok;
  } catch {
    return false;
  }
}
