// Node.js 24 from npm, the runtime of the deployed Lambda functions.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = `node-${process.platform}-${process.arch}`;
const VERSION = '24.21.0';

/** Path of the executable, which exists when `isInstalled` returns true. */
export function executable(home) {
  return join(home, 'node_modules', PACKAGE, 'bin/node');
}

export function isInstalled(home) {
  return existsSync(executable(home));
}

/** Installs Node.js 24, about 190 MB. */
export function install(home) {
  mkdirSync(home, { recursive: true });
  const options = ['--no-audit', '--no-fund', '--no-save'];
  execFileSync('npm', ['install', '--prefix', home, ...options, `${PACKAGE}@${VERSION}`], { stdio: 'inherit' });
}
