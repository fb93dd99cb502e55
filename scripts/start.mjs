// `npm start`: installs packages if any is missing, then runs walk-through.ts. This file imports no package, so that a new
// clone can run it.
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
ready(root);
const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/walk-through.ts', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // On Node 20 the AWS SDK prints a warning about its end of support.
  env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', ...process.env },
});
// Ctrl-C also reaches the child, which finishes its batches. This process waits until the child has ended.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
