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
          // The first synth of a process validates its templates for some seconds on a busy machine.
          testTimeout: 30_000,
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
          // Mostly they wait.
          maxWorkers: 2,
          globalSetup: ['test/support/bundles.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
