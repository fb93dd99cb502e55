// mosquitto from Debian's backports, unpacked into a folder: nothing is installed on the machine.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const MOSQUITTO_VERSION = '2.0.21';

const SUITE = 'bookworm';
const PACKAGES = [
  `mosquitto=${MOSQUITTO_VERSION}-1~bpo12+1`,
  // The libraries that mosquitto loads and that Debian's images lack.
  ...['libcjson1', 'libdlt2', 'libev4', 'libuv1', 'libwebsockets17', 'libwrap0'],
];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const EXPECTED =
  'expected Debian 12 or newer. On other systems, run it in Docker (localstack/servers/mqtt-brokers/docker)';

export function isInstalled(home) {
  return existsSync(executable(home));
}

/** Path of the server's executable. */
export function executable(home) {
  return join(root(home), 'usr/sbin/mosquitto');
}

/** The folder of the libraries that the executable needs beside the system's. */
export function libraries(home) {
  const folder = join(root(home), 'usr/lib');
  // Its name starts with the machine's architecture.
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('-linux-gnu')),
  );
}

/**
 * Downloads and unpacks mosquitto: 1 MB, some seconds. Packages come from the mirror that this machine's apt uses.
 *
 * @throws Error if the machine has no apt, or its mirror does not have Debian's packages
 */
export function install(home) {
  const build = join(home, 'build');
  rmSync(build, { recursive: true, force: true });
  for (const folder of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(build, folder), { recursive: true });
  const sources = [SUITE, `${SUITE}-backports`].map(
    (suite) => `deb [signed-by=${KEYRING}] ${mirror()} ${suite} main\n`,
  );
  writeFileSync(join(build, 'sources.list'), sources.join(''));
  console.log(`mosquitto ${MOSQUITTO_VERSION} …`);
  try {
    const options = privateApt(build);
    run('apt-get', [...options, 'update'], build);
    run('apt-get', [...options, 'download', ...PACKAGES], join(build, 'debs'));
    const debs = join(build, 'debs');
    for (const name of readdirSync(debs)) run('dpkg-deb', ['--extract', join(debs, name), join(build, 'root')], build);
    rmSync(root(home), { recursive: true, force: true });
    renameSync(join(build, 'root'), root(home));
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

function root(home) {
  return join(home, `mosquitto-${MOSQUITTO_VERSION}`);
}

/** Options with which apt keeps its lists and packages in a folder and reads that folder's sources only. */
function privateApt(folder) {
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    // The folder may be closed to apt's own user.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  return ['-qq', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** The archive from which this machine's apt installs; the archive of security updates has no backports. */
function mirror() {
  const { stdout, error } = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages'],
    { encoding: 'utf8' },
  );
  if (error !== undefined) throw new Error(`mosquitto: apt-get: ${error.message}; ${EXPECTED}`, { cause: error });
  const archives = stdout.split('\n').map((line) => line.split(' '));
  const [, uri] = archives.find(([release, uri]) => uri?.includes('debian') && !release.endsWith('-security')) ?? [];
  if (uri === undefined || !existsSync(KEYRING))
    throw new Error(`mosquitto: apt has no archive of Debian, or ${KEYRING} is missing; ${EXPECTED}`);
  return uri;
}

function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}
