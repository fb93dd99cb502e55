// One bundle per Lambda entry, in dist/bundles/<sink>/: what is deployed, and nothing that another sink needs.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sinks = readdirSync(join(root, 'lambdas/deliver')).filter((name) =>
  existsSync(join(root, 'lambdas/deliver', name, 'handler.ts')),
);

for (const sink of sinks) {
  const outdir = join(root, 'dist/bundles', sink);
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { index: `lambdas/deliver/${sink}/handler.ts` },
    outdir,
    bundle: true,
    // What is imported on demand (the queue's client, for the first dead letter) stays out of the cold start.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    mainFields: ['module', 'main'],
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunk-[hash]',
    // Dependencies in CommonJS call require for Node's own modules.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  writeFileSync(join(root, 'dist/bundles', `${sink}.meta.json`), JSON.stringify(metafile));
}
