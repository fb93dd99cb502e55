// The set-up part `node24`: Node 24 from npm, the runtime of the deployed Lambda functions.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../cache.mjs';

const PACKAGE = `node-${process.platform}-${process.arch}`;
const VERSION = '24.21.0';

const home = cacheFolder('node24');

/** The executable; present if `isInstalled()`. */
export const node24 = join(home, 'node_modules', PACKAGE, 'bin/node');

export function isInstalled() {
  return existsSync(node24);
}

/** Installs it: 190 MB. */
export function install() {
  const options = ['--no-audit', '--no-fund', '--no-save'];
  execFileSync('npm', ['install', '--prefix', home, ...options, `${PACKAGE}@${VERSION}`], { stdio: 'inherit' });
}
