// `npm run localstack`: installs packages if any is missing, then runs `outflow localstack` with the parts in `.cache/`.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ready } from './ready.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
ready(root);
const { register } = await import('tsx/esm/api');
register();
process.argv.splice(2, 0, 'localstack', '--cache', join(root, '.cache'));
await import('../bin/outflow.ts');
