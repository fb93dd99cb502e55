import { defineConfig } from 'vitest/config';
import { SYNTH, WHOLE } from './test/support/projects.ts';

const filesIn = (paths: readonly string[]) => paths.map((path) => (path.endsWith('/') ? `${path}**/*.test.ts` : path));

const common = {
  setupFiles: ['test/support/property-runs.ts'],
  globalSetup: ['test/support/bundles.ts'],
  // Ends a test that hangs. No test asserts a duration, and a busy machine is slow.
  testTimeout: 120_000,
  hookTimeout: 120_000,
};

const quick = {
  ...common,
  // The files of a project share a process per core: each package is loaded once.
  isolate: false,
  maxWorkers: '100%',
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...quick,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: filesIn([...WHOLE, ...SYNTH]),
        },
      },
      {
        test: {
          ...quick,
          name: 'synth',
          include: filesIn(SYNTH),
          // CDK validates every template that it synthesizes, which takes a process seconds; rule-packs.test.ts asks for it.
          env: { CDK_VALIDATION: 'false' },
        },
      },
      {
        test: {
          ...common,
          name: 'whole',
          include: filesIn(WHOLE),
          env: { OUTFLOW_FUZZ_RUNS: process.env['OUTFLOW_FUZZ_RUNS'] ?? '100' },
          // These tests wait for servers most of the time.
          maxWorkers: 2,
          // Vitest runs projects with different numbers of workers in groups of their own.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
