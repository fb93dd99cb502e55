import fc from 'fast-check';

/** The default of fast-check, for which properties are written. */
const FULL = 100;

/**
 * The number of runs of a property that sets none, from the environment variable OUTFLOW_FUZZ_RUNS.
 *
 * @default 25, so that `npm run check` is quick; `npm test` and CI set 100
 */
const RUNS = runsOf(process.env['OUTFLOW_FUZZ_RUNS'] ?? '25');

function runsOf(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`OUTFLOW_FUZZ_RUNS: got ${JSON.stringify(text)}; expected a whole number of runs, 1 or more`);
}

/** The number of runs of a property that needs more or fewer than others, in proportion to OUTFLOW_FUZZ_RUNS. */
export function runs(full: number): number {
  return Math.ceil((full * RUNS) / FULL);
}

fc.configureGlobal({ numRuns: RUNS });
