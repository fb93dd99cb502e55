import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Code } from 'aws-cdk-lib/aws-lambda';

/** A worker's code: the prebuilt bundle of its sink, and the spec beside it. Nothing is compiled at synth. */
export function workerCode(sink: string, spec: unknown): Code {
  const folder = temporaryFolder();
  cpSync(bundleFolder(sink), folder, { recursive: true });
  writeFileSync(join(folder, 'spec.json'), `${JSON.stringify(spec, null, 2)}\n`);
  return Code.fromAsset(folder);
}

/** A function's code that is the same for everyone. */
export function bundleCode(name: string): Code {
  return Code.fromAsset(bundleFolder(name));
}

function bundleFolder(name: string): string {
  const bundle = join(packageRoot(), 'dist', 'bundles', name);
  if (!existsSync(bundle)) throw new Error(`${bundle} is missing; \`npm run build\` makes it`);
  return bundle;
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

// Assets are copied into the assembly when the app is synthesized, some time after this; the folder goes with the process.
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
