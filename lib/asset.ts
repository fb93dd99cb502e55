import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Code } from 'aws-cdk-lib/aws-lambda';

/** A worker's code: the prebuilt bundle of its sink, and `spec.json`. Nothing is compiled at synth. */
export function workerCode(sink: string, spec: unknown): Code {
  const folder = temporaryFolder();
  cpSync(bundleFolder(sink), folder, { recursive: true });
  writeFileSync(join(folder, 'spec.json'), `${JSON.stringify(spec, null, 2)}\n`);
  return Code.fromAsset(folder);
}

/** The code of a function that has no spec: its prebuilt bundle. */
export function bundleCode(name: string): Code {
  return Code.fromAsset(bundleFolder(name));
}

function bundleFolder(name: string): string {
  const bundle = join(packageRoot(), 'dist', 'bundles', name);
  if (!existsSync(bundle)) throw new Error(`${bundle} does not exist; run \`npm run build\``);
  return bundle;
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isPackage(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

// The folder of the CommonJS build has a package.json without a name.
function isPackage(file: string): boolean {
  return existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name !== undefined;
}

// CDK copies assets into the assembly when the app is synthesized, so the folders have to last until the process exits.
const folders: string[] = [];
function temporaryFolder(): string {
  if (folders.length === 0) {
    process.once('exit', () => {
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    });
  }
  const folder = mkdtempSync(join(tmpdir(), 'outflow-'));
  folders.push(folder);
  return folder;
}
