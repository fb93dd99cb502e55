/** Runs a function as soon as fewer than the limit are running; functions start in the order of the calls. */
export type ConcurrencyLimit = <Result>(run: () => Promise<Result>) => Promise<Result>;

/** @param limit How many functions run at a time; at least 1. */
export function concurrencyLimit(limit: number): ConcurrencyLimit {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (run) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
