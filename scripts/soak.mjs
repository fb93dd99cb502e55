// `npm run soak`: runs tasks under random faults in one process and checks a ledger of every message.
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parts } from '../localstack/setup-parts.mjs';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
ready(root);
const proxy = parts.find(({ name }) => name === 'fault-proxy');
if (!proxy.isReady()) proxy.install();
const child = spawn(process.execPath, ['--import', 'tsx', 'test/soak/main.ts', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // On Node 20 the AWS SDK prints a warning about its end of support.
  env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', ...process.env },
});
// Ctrl-C also reaches the child. This process waits until the child has ended.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
