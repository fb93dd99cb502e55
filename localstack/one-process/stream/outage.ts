/** Calls of an API that fail, told once from the first that fails until all of them work again. */
export interface Outage {
  failed(what: string, error: unknown): void;
  worked(what: string): void;
}

/** Answers that only ask for a slower pace: they are waited out, like any failure, but there is nothing to tell. */
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
      const isNews = failing.size === 0;
      failing.add(what);
      if (isNews) onError(new Error(`${what} cannot be read now, and is tried again`, { cause: error }));
    },
    worked(what) {
      failing.delete(what);
    },
  };
}
