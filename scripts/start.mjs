// `npm start`: the main job, embedded. Does its own set-up, in plain Node, before anything is installed.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
ready(root);
// On Node 20 the AWS SDK prints a page about its own future.
const env = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', ...process.env };
const { status } = spawnSync(process.execPath, ['--import', 'tsx', 'bin/walk-through.ts', ...process.argv.slice(2)], {
  cwd: root,
  env,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
