// One bundle per Lambda entry, in dist/bundles/<sink>/: what is deployed, and nothing that another sink needs.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sinks = readdirSync(join(root, 'lambdas/deliver')).filter((name) =>
  existsSync(join(root, 'lambdas/deliver', name, 'handler.ts')),
);

for (const sink of sinks) {
  const outdir = join(root, 'dist/bundles', sink);
  const { metafile, outputFiles } = await build({
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
    write: false,
  });
  replace(outdir, new Map(outputFiles.map(({ path, contents }) => [path, contents])));
  writeFileSync(join(root, 'dist/bundles', `${sink}.meta.json`), JSON.stringify(metafile));
}

// Whoever reads the folder meanwhile, such as a synth under way, sees no difference where there is none.
function replace(folder, files) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!files.has(join(folder, name))) rmSync(join(folder, name));
  for (const [path, contents] of files) {
    if (!existsSync(path) || !readFileSync(path).equals(contents)) writeFileSync(path, contents);
  }
}
