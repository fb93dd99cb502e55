// `npm start`: the main job, embedded. Does its own set-up, in plain Node, before anything is installed.
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
ready(root);
const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/walk-through.ts', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // On Node 20 the AWS SDK prints a page about its own future.
  env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', ...process.env },
});
// Ctrl-C reaches the child as well; it settles, and this process waits for it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
