import { execFile } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);

export const { devDependencies: versions } = JSON.parse(readFileSync('package.json', 'utf8'));

export function npm(cwd: string, ...args: string[]) {
  return run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd });
}

/** Packs a copy of the package in a folder. A build in place would delete the bundles that other tests use. */
export async function pack(folder: string): Promise<string> {
  const copy = join(folder, 'copy');
  const generated = new Set(['node_modules', 'dist', '.git', 'cdk.out', '.cache']);
  cpSync('.', copy, { recursive: true, filter: (path) => !generated.has(basename(path)) });
  symlinkSync(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'));
  await npm(copy, 'pack', '--pack-destination', folder);
  return join(folder, 'mqtt-outflow-0.1.0.tgz');
}

/** The first task of the README, as a program. */
export function readmeTask(): string {
  const [, app] = /## A task\n\n```ts\n([^`]*)```/.exec(readFileSync('README.md', 'utf8'))!;
  return app!;
}
