import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/whole/**', 'test/docker-free/**'],
          // The first synth of a process validates its templates for some seconds on a busy machine.
          testTimeout: 30_000,
          globalSetup: ['test/support/bundles.ts'],
        },
      },
      {
        test: {
          name: 'whole',
          include: ['test/whole/**/*.test.ts', 'test/docker-free/**/*.test.ts'],
          globalSetup: ['test/support/bundles.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
