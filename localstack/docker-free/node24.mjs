// The setup part `node24`: Node.js 24 from npm, the runtime of the deployed Lambda functions.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../cache.mjs';

const PACKAGE = `node-${process.platform}-${process.arch}`;
const VERSION = '24.21.0';

const home = cacheFolder('node24');

/** Path of the executable, which exists when `isInstalled()` returns true. */
export const node24 = join(home, 'node_modules', PACKAGE, 'bin/node');

export function isInstalled() {
  return existsSync(node24);
}

/** Installs Node.js 24, about 190 MB. */
export function install() {
  const options = ['--no-audit', '--no-fund', '--no-save'];
  execFileSync('npm', ['install', '--prefix', home, ...options, `${PACKAGE}@${VERSION}`], { stdio: 'inherit' });
}
