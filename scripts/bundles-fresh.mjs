// Checks whether a build would make the same bundles as those in dist/bundles.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Contents decide what a bundle holds: sources, build steps, versions of packages, the compiler's options. */
const SOURCES = ['lambdas', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json'];
const OUTPUT = 'dist/bundles';
const RECORD = 'built.meta.json';

/** A digest of all that the project itself puts into a bundle. */
export function sourcesDigest(root) {
  return digest(SOURCES.flatMap((path) => contentsOf(root, path)));
}

/**
 * Records what a finished build was made of.
 *
 * @param sources the digest from before the build, so that a source that was changed meanwhile is noticed
 */
export function recordBuild(root, sources) {
  writeFileSync(join(root, OUTPUT, RECORD), JSON.stringify({ sources, ...built(root) }));
}

/** Whether neither a source, nor a file of a package that a bundle took in, nor a bundle has changed since the last build. */
export function isFresh(root) {
  try {
    const record = readFileSync(join(root, OUTPUT, RECORD), 'utf8');
    return record === JSON.stringify({ sources: sourcesDigest(root), ...built(root) });
  } catch {
    // There is no build, or it is incomplete.
    return false;
  }
}

function built(root) {
  const folder = join(root, OUTPUT);
  const metafiles = readdirSync(folder).filter((name) => name.endsWith('.meta.json') && name !== RECORD);
  const inputs = new Set(
    metafiles.flatMap((name) => Object.keys(JSON.parse(readFileSync(join(folder, name), 'utf8')).inputs)),
  );
  const outside = [...inputs].filter((path) => !SOURCES.some((source) => path.startsWith(`${source}/`))).sort();
  return {
    inputs: digest(outside.map((path) => [path, stateOf(join(root, path))])),
    outputs: digest(contentsOf(root, OUTPUT).filter(([path]) => path !== join(OUTPUT, RECORD))),
  };
}

// Packages have thousands of files, which change when packages are installed: their times are enough.
function stateOf(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? 'none' : `${stats.size} ${stats.mtimeMs}`;
}

function contentsOf(root, path) {
  const from = join(root, path);
  if (!statSync(from).isDirectory()) return [[path, readFileSync(from)]];
  return readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => [file.slice(root.length + 1), readFileSync(file)]);
}

function digest(entries) {
  const hash = createHash('sha256');
  for (const [name, contents] of entries) hash.update(`${name}\n${contents.length}\n`).update(contents);
  return hash.digest('hex');
}
