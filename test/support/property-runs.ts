import fc from 'fast-check';

/** fast-check's own default, for which properties are written. */
const FULL = 100;

/**
 * Runs of a property that names no number of its own, from the environment variable OUTFLOW_FUZZ_RUNS.
 *
 * @default 25, for a quick answer; `npm test` and CI set 100
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
