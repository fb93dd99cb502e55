/** Runs functions together, and some of them alone. */
export interface SharedAccess {
  /** Runs as soon as no exclusive function runs or waits. */
  shared<Result>(run: () => Promise<Result>): Promise<Result>;
  /** Runs once every function that was started before has ended; exclusive functions run in the order of the calls. */
  exclusive<Result>(run: () => Promise<Result>): Promise<Result>;
}

export function sharedAccess(): SharedAccess {
  const running = new Set<Promise<unknown>>();
  let lastExclusive: Promise<unknown> | undefined;

  async function tracked<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = run();
    running.add(result);
    try {
      return await result;
    } finally {
      running.delete(result);
    }
  }

  return {
    async shared(run) {
      while (lastExclusive !== undefined) await lastExclusive;
      return tracked(run);
    },
    exclusive(run) {
      const before = [lastExclusive, ...running];
      const result = (async () => {
        await Promise.allSettled(before);
        return run();
      })();
      const ended = result.then(
        () => {},
        () => {},
      );
      lastExclusive = ended;
      void ended.then(() => {
        if (lastExclusive === ended) lastExclusive = undefined;
      });
      return result;
    },
  };
}
