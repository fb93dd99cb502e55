/** Reports failing API calls: the first failure, and none after it until all calls work again. */
export interface Outage {
  failed(what: string, error: unknown): void;
  worked(what: string): void;
}

/** Throttling is retried like any failure, but not reported. */
const THROTTLES = new Set([
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'KMSThrottlingException',
]);

export function createOutage(onError: (error: Error) => void): Outage {
  const failing = new Set<string>();
  return {
    failed(what, error) {
      if (error instanceof Error && THROTTLES.has(error.name)) return;
      const isFirst = failing.size === 0;
      failing.add(what);
      if (isFirst) onError(new Error(`${what} cannot be read; retrying`, { cause: error }));
    },
    worked(what) {
      failing.delete(what);
    },
  };
}
