// One bundle per Lambda entry, in dist/bundles/<sink>/: what is deployed, and nothing that another sink needs.
// With an entry file and a directory as arguments, that entry alone is bundled the same way.
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [entry, directory] = process.argv.slice(2);

if (entry !== undefined) await bundle(entry, directory);
else for (const sink of sinks()) await bundle(`lambdas/deliver/${sink}/handler.ts`, join('dist/bundles', sink));

function sinks() {
  const folder = join(root, 'lambdas/deliver');
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'handler.ts')));
}

async function bundle(entry, directory) {
  const outdir = join(root, directory);
  rmSync(outdir, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { index: entry },
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
  writeFileSync(`${outdir}.meta.json`, JSON.stringify(metafile));
}
