import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [MAJOR, MINOR] = [20, 19];

/** Checks Node's version and installs the packages of the lock file if any is missing. */
export function ready(root) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < MAJOR || (major === MAJOR && minor < MINOR)) {
    console.error(
      `Node: got ${process.versions.node}; expected ${MAJOR}.${MINOR} or newer. Install it from https://nodejs.org`,
    );
    process.exit(1);
  }
  if (isInstalled(root)) return;
  console.log('Installing packages (once, about half a minute) …');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
  });
}

// npm lists the installed packages in a copy of the lock file.
function isInstalled(root) {
  const installed = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installed)) return false;
  const { packages: locked } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { packages: present } = JSON.parse(readFileSync(installed, 'utf8'));
  return Object.entries(locked).every(
    ([path, { version, optional }]) => path === '' || optional || present[path]?.version === version,
  );
}
