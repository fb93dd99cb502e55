// The set-up part `localstack`: a Python environment with LocalStack, its libraries, and the executor beside this file.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../cache.mjs';

/** LocalStack without Docker, once `npm run setup -- localstack` has installed it. */
export const localStackHome = cacheFolder('localstack');

const VERSION = '4.14.0';
const here = import.meta.dirname;
const constraints = join(here, 'constraints.txt');
const executor = join(here, 'lambda_executor');

// LocalStack 4.14.0 asks for 3.10, but is written for the Python of its own image: with 3.12 none of its packages installs,
// with 3.11 every call is answered "invalid syntax".
const OLDEST = '3.13';

/** Whether `home` holds what this version of the project wants. */
export function isInstalled(home) {
  const stamp = join(home, 'stamp');
  return existsSync(pythonIn(home)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted();
}

/** Makes it so: a minute or two the first time; afterwards only what has changed. @throws when no Python is new enough. */
export function install(home) {
  mkdirSync(home, { recursive: true });
  rmSync(join(home, 'stamp'), { force: true });
  const python = pythonIn(home);
  // A virtual environment is a link to the Python that made it, which may have gone.
  if (!existsSync(python)) {
    const { path, version } = findPython();
    console.log(`Python environment with ${path} (${version}) …`);
    run(path, ['-m', 'venv', '--clear', join(home, 'venv')]);
  }
  const pip = ['-m', 'pip', 'install', '-qq', '--disable-pip-version-check'];
  console.log(`LocalStack ${VERSION}: about 500 MB, a minute or two the first time …`);
  run(python, [...pip, '--constraint', constraints, `localstack-core[runtime]==${VERSION}`]);
  run(python, [...pip, '--no-deps', '--force-reinstall', executor]);
  console.log('LocalStack’s Kinesis …');
  run(python, ['-m', 'localstack.cli.lpm', 'install', 'kinesis-mock'], {
    FILESYSTEM_ROOT: join(home, 'filesystem'),
    OVERRIDE_IN_DOCKER: '0',
    XDG_CACHE_HOME: join(home, 'cache'),
  });
  writeFileSync(join(home, 'stamp'), wanted());
}

function run(command, args, env = {}) {
  execFileSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
}

function pythonIn(home) {
  return join(home, 'venv/bin/python');
}

function wanted() {
  const files = readdirSync(executor, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = createHash('sha256').update(VERSION);
  for (const file of [constraints, ...files]) hash.update(readFileSync(file));
  return hash.digest('hex');
}

function findPython() {
  const looked = candidates().map((path) => ({ path, ...probe(path) }));
  const usable = looked.filter(({ version }) => version !== undefined && minor(version) >= minor(OLDEST));
  // The one that LocalStack was released with, where there are several.
  usable.sort((a, b) => minor(a.version) - minor(b.version));
  if (usable.length > 0) return usable[0];
  throw new Error(
    [
      `No Python of ${OLDEST} or newer, which LocalStack ${VERSION} needs. Looked at:`,
      ...looked.map(({ path, version, reason }) => `  ${path}: ${version ?? reason}`),
      'and, for more, into the folder `versions` of $PYENV_ROOT, ~/.pyenv and /opt/pyenv.',
    ].join('\n'),
  );
}

function candidates() {
  const pyenvs = [process.env.PYENV_ROOT, join(homedir(), '.pyenv'), '/opt/pyenv'].filter((root) => root !== undefined);
  const versions = [...new Set(pyenvs)]
    .map((root) => join(root, 'versions'))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((version) => join(folder, version, 'bin/python3')));
  return [`python${OLDEST}`, 'python3', ...versions];
}

// Debian has Pythons that cannot make an environment: ensurepip comes in a package of its own.
const PROBE = "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])";

function probe(path) {
  const { status, stdout, stderr, error } = spawnSync(path, ['-c', PROBE], { encoding: 'utf8' });
  if (status === 0) return { version: stdout.trim() };
  return { reason: error?.code === 'ENOENT' ? 'not there' : (stderr?.trim().split('\n').at(-1) ?? String(error)) };
}

function minor(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === 3 ? minor : -1;
}
