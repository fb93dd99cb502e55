// Builds the package for CommonJS in dist/cjs/, because TypeScript's `node10`, ts-node and Jest load no ES modules.
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const ENTRIES = ['lib/index.ts', 'lambdas/core/index.ts', 'lambdas/testing/index.ts'];

/** Writes one file for each entry of the package, and copies the types that `tsc` has written. */
export async function buildCommonJs(root) {
  const folder = join(root, 'dist/cjs');
  await build({
    absWorkingDir: root,
    entryPoints: ENTRIES,
    outbase: '.',
    outdir: folder,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    legalComments: 'none',
    charset: 'utf8',
    logLevel: 'warning',
  });
  for (const part of ['lib', 'lambdas']) {
    const types = (path) => !/\.[a-z]+$/.test(path) || path.endsWith('.d.ts');
    cpSync(join(root, 'dist', part), join(folder, part), { recursive: true, filter: types });
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
}
