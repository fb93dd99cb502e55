// `npm test`: runs every suite for which this machine is set up, names the skipped ones, and ends with
// `N passed, N failed, N skipped`. With --require-all, as in CI, a skipped suite is a failure.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parts } from '../localstack/setup-parts.mjs';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
ready(root);

const requireAll = process.argv.includes('--require-all');
const missing = parts.filter((part) => !part.isReady());
const folder = mkdtempSync(join(tmpdir(), 'outflow-test-'));
const results = join(folder, 'results.json');
const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${results}`,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      // `npm run check` has a quarter of these runs.
      OUTFLOW_FUZZ_RUNS: '100',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      ...process.env,
    },
  },
);

const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(results, 'utf8'));
rmSync(folder, { recursive: true });
// A file that fails to load has no tests, and counts as one failure.
const broken = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
for (const { name, what } of missing) console.log(`Skipped: ${what}. To run it: npm run setup -- ${name}`);
console.log(`\n${numPassedTests} passed, ${numFailedTests + broken} failed, ${numPendingTests} skipped`);
const isIncomplete = requireAll && (missing.length > 0 || numPendingTests > 0);
if (isIncomplete) console.error('--require-all: some suites did not run.');
process.exitCode = status === 0 && !isIncomplete ? 0 : 1;
