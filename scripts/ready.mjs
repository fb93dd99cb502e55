import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [MAJOR, MINOR] = [20, 19];

/** Makes a clone ready to run: the right Node, and the packages of the lock file. Says what takes its time. */
export function ready(root) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < MAJOR || (major === MAJOR && minor < MINOR)) {
    console.error(`Node ${process.versions.node} is too old; expected ${MAJOR}.${MINOR} or newer.`);
    process.exit(1);
  }
  if (isInstalled(root)) return;
  console.log('Installing packages (once, about half a minute) …');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
}

// npm leaves a copy of what it installed; where that differs from the lock file, or is not there, something is missing.
function isInstalled(root) {
  const installed = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installed)) return false;
  const { packages: wanted } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { packages: found } = JSON.parse(readFileSync(installed, 'utf8'));
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || found[path]?.version === version,
  );
}
