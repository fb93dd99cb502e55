// Makes a bundle for each Lambda entry in dist/bundles/<sink>/. It is the code that is deployed, without that of other sinks.
// Does nothing if the bundles exist and their sources have not changed.
// With an entry file and a folder as arguments, it bundles only that entry, with the same options.
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
  await bundle('lambdas/source/mqtt/handler.ts', 'dist/bundles/mqtt-source');
  recordBuild(root, sources);
}

function sinks() {
  const folder = join(root, 'lambdas/deliver');
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'handler.ts')));
}

async function bundle(entry, directory) {
  // Loaded on demand, because most runs build nothing.
  const { build } = await import('esbuild');
  const outdir = join(root, directory);
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: { index: entry },
    outdir,
    bundle: true,
    // Imports on demand (the queue's client, for the first dead letter) are not part of the cold start.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    mainFields: ['module', 'main'],
    // Of mqtt-packet: a copy of Node's own streams, and log entries that nobody turns on. Together they are larger than the codec.
    alias: { 'readable-stream': 'node:stream', debug: join(root, 'scripts/no-debug.cjs') },
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunk-[hash]',
    // Dependencies in CommonJS call `require` for the modules of Node.
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

// Unchanged files are not written, because a synth may read the folder at the same time.
function replace(folder, files) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (!files.has(join(folder, name))) rmSync(join(folder, name), { recursive: true });
  }
  for (const [path, contents] of files) {
    if (!existsSync(path) || !readFileSync(path).equals(contents)) writeFileSync(path, contents);
  }
}
