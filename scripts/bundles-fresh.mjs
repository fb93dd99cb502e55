// Checks whether a build would make the same bundles as those in dist/bundles.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files whose contents decide what a bundle holds: sources, build scripts, versions of packages, options of the compiler. */
const SOURCES = ['lambdas', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json'];
const OUTPUT = 'dist/bundles';
const RECORD = 'built.meta.json';

/** Returns a digest of the project's files that go into bundles. */
export function sourcesDigest(root) {
  return digest(SOURCES.flatMap((path) => contentsOf(root, path)));
}

/**
 * Records the inputs and outputs of a finished build.
 *
 * @param sources The digest from before the build, so that a change during the build is noticed.
 */
export function recordBuild(root, sources) {
  writeFileSync(join(root, OUTPUT, RECORD), JSON.stringify({ sources, ...built(root) }));
}

/** Whether no source, no bundled file of a package and no bundle has changed since the last build. */
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

// Packages have thousands of files, which change only when packages are installed, so sizes and times suffice.
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
