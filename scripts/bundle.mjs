// One bundle per Lambda entry, in dist/bundles/<sink>/: what is deployed, and nothing that another sink needs.
// Nothing is done where they are there and nothing that they are made of has changed.
// With an entry file and a directory as arguments, only that entry is bundled, with the same options.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFresh, recordBuild, sourcesDigest } from './bundles-fresh.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [entry, directory] = process.argv.slice(2);

if (entry !== undefined) await bundle(entry, directory);
else if (!isFresh(root)) {
  const sources = sourcesDigest(root);
  for (const sink of sinks()) await bundle(`lambdas/deliver/${sink}/handler.ts`, join('dist/bundles', sink));
  await bundle('lambdas/control/handler.ts', 'dist/bundles/control');
  await bundle('lambdas/source/logs/handler.ts', 'dist/bundles/logs');
  recordBuild(root, sources);
}

function sinks() {
  const folder = join(root, 'lambdas/deliver');
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'handler.ts')));
}

async function bundle(entry, directory) {
  // Loaded only when there is something to build.
  const { build } = await import('esbuild');
  const outdir = join(root, directory);
  const { metafile, outputFiles } = await build({
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
    charset: 'utf8',
    logLevel: 'warning',
    metafile: true,
    write: false,
  });
  replace(outdir, new Map(outputFiles.map(({ path, contents }) => [path, contents])));
  writeFileSync(`${outdir}.meta.json`, JSON.stringify(metafile));
}

// A synth may read the folder meanwhile, so unchanged files are not written.
function replace(folder, files) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (!files.has(join(folder, name))) rmSync(join(folder, name), { recursive: true });
  }
  for (const [path, contents] of files) {
    if (!existsSync(path) || !readFileSync(path).equals(contents)) writeFileSync(path, contents);
  }
}
