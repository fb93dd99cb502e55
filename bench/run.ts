import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });

// As the deployed code: tsx keeps the names of functions, at a cost for each that is made.
run('scripts/bundle.mjs', 'bench/throughput.ts', '.cache/bench/throughput');
run('.cache/bench/throughput/index.mjs');
await import('./cold.ts');
