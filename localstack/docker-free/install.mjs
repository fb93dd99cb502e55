// LocalStack without Docker: a Python environment with LocalStack, its libraries, and the Lambda executor of this folder.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const VERSION = '4.14.0';
const here = import.meta.dirname;
const constraints = join(here, 'constraints.txt');
const executor = join(here, 'lambda_executor');

// LocalStack 4.14.0 states 3.10, but only runs on the Python version of its image: with 3.12 its packages do not install, and with
// 3.11 every call fails with "invalid syntax".
const OLDEST = '3.13';

/** Whether `home` has the versions that this version of the package needs. */
export function isInstalled(home) {
  const stamp = join(home, 'stamp');
  return existsSync(pythonIn(home)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint();
}

/** Installs or updates LocalStack. The first time takes one to two minutes. @throws when no suitable Python is found. */
export function install(home) {
  mkdirSync(home, { recursive: true });
  rmSync(join(home, 'stamp'), { force: true });
  const python = pythonIn(home);
  // A virtual environment links to the Python that created it, which may no longer exist.
  if (!existsSync(python)) {
    const { path, version } = findPython();
    console.log(`Python environment with ${path} (${version}) …`);
    run(path, ['-m', 'venv', '--clear', join(home, 'venv')]);
  }
  const pip = ['-m', 'pip', 'install', '-qq', '--disable-pip-version-check'];
  console.log(`LocalStack ${VERSION}: about 500 MB, one to two minutes the first time …`);
  run(python, [...pip, '--constraint', constraints, `localstack-core[runtime]==${VERSION}`]);
  run(python, [...pip, '--no-deps', '--force-reinstall', executor]);
  console.log('LocalStack’s Kinesis …');
  run(python, ['-m', 'localstack.cli.lpm', 'install', 'kinesis-mock'], {
    FILESYSTEM_ROOT: join(home, 'filesystem'),
    OVERRIDE_IN_DOCKER: '0',
    XDG_CACHE_HOME: join(home, 'cache'),
  });
  writeFileSync(join(home, 'stamp'), fingerprint());
}

function run(command, args, env = {}) {
  execFileSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
}

function pythonIn(home) {
  return join(home, 'venv/bin/python');
}

/** Returns a digest of the version, the constraints and the executor. */
function fingerprint() {
  const files = readdirSync(executor, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = createHash('sha256').update(VERSION);
  for (const file of [constraints, ...files]) hash.update(readFileSync(file));
  return hash.digest('hex');
}

function findPython() {
  const probed = candidates().map((path) => ({ path, ...probe(path) }));
  const usable = probed.filter(({ version }) => version !== undefined && minor(version) >= minor(OLDEST));
  // The oldest usable version, which is the closest to the one that LocalStack was released with.
  usable.sort((a, b) => minor(a.version) - minor(b.version));
  if (usable.length > 0) return usable[0];
  throw new Error(
    [
      `LocalStack ${VERSION} needs Python ${OLDEST} or newer. Candidates:`,
      ...probed.map(({ path, version, reason }) => `  ${path}: ${version ?? reason}`),
      'Install a suitable version, or add it to the folder `versions` of $PYENV_ROOT, ~/.pyenv or /opt/pyenv.',
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

// Some Pythons of Debian cannot create a virtual environment, because ensurepip is a separate package.
const PROBE = "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])";

function probe(path) {
  const { status, stdout, stderr, error } = spawnSync(path, ['-c', PROBE], { encoding: 'utf8' });
  if (status === 0) return { version: stdout.trim() };
  return { reason: error?.code === 'ENOENT' ? 'not found' : (stderr?.trim().split('\n').at(-1) ?? String(error)) };
}

function minor(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === 3 ? minor : -1;
}
