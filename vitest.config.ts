import { defineConfig } from 'vitest/config';

// Whole paths, and what starts servers: minutes rather than seconds.
const REAL_SERVERS = ['test/whole/**/*.test.ts', 'test/docker-free/**/*.test.ts', 'test/servers/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: REAL_SERVERS,
          setupFiles: ['test/support/property-runs.ts'],
          // CDK's validation of every template takes seconds; test/security/rule-packs.test.ts asks for it.
          env: { CDK_VALIDATION: 'false' },
          // Ends what hangs; nothing is asserted by it, and a busy machine is slow.
          testTimeout: 120_000,
          // Files that share a process load aws-cdk-lib once; none of them changes what others see.
          isolate: false,
          maxWorkers: '100%',
          globalSetup: ['test/support/bundles.ts'],
        },
      },
      {
        test: {
          name: 'whole',
          include: REAL_SERVERS,
          setupFiles: ['test/support/property-runs.ts'],
          env: { OUTFLOW_FUZZ_RUNS: process.env['OUTFLOW_FUZZ_RUNS'] ?? '100' },
          // Mostly they wait.
          maxWorkers: 2,
          // Vitest wants a group of their own for projects whose numbers of workers differ.
          sequence: { groupOrder: 1 },
          globalSetup: ['test/support/bundles.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
