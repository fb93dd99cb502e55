// `npm run build`: compiles the published package and the Lambda bundles into dist/.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildCommonJs } from './commonjs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });

rmSync(join(root, 'dist'), { recursive: true, force: true });
run(join(root, 'node_modules/typescript/bin/tsc'), '--project', 'tsconfig.build.json');
// npm makes the command executable when it installs the package. `npx outflow` in a clone needs that too.
chmodSync(join(root, 'dist/bin/outflow.js'), 0o755);
// Files that `outflow localstack` passes to Docker and Python.
for (const path of ['docker/compose.yaml', 'docker-free/constraints.txt', 'docker-free/lambda_executor']) {
  const [from, to] = ['localstack', 'dist/localstack'].map((folder) => join(root, folder, path));
  cpSync(from, to, { recursive: true, filter: (file) => basename(file) !== '__pycache__' });
}
await buildCommonJs(root);
run(join(root, 'scripts/bundle.mjs'));
