/** Runs what it is given as soon as there is room beside all else that it runs. */
export type Lane = <Result>(run: () => Promise<Result>) => Promise<Result>;

/** @param width How many it runs at once. */
export function openLane(width: number): Lane {
  const waiting: (() => void)[] = [];
  let free = width;
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
