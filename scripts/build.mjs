// `npm run build`: compiles the published package and the Lambda bundles into dist/.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildCommonJs } from './commonjs.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const run = (...args) => execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });

rmSync(join(root, 'dist'), { recursive: true, force: true });
run(join(root, 'node_modules/typescript/bin/tsc'), '--project', 'tsconfig.build.json');
// npm makes it executable in an installed package; `npx outflow` in a clone needs it, too.
chmodSync(join(root, 'dist/bin/outflow.js'), 0o755);
await buildCommonJs(root);
run(join(root, 'scripts/bundle.mjs'));
