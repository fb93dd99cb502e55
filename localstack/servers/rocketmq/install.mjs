// The set-up part `rocketmq`: RocketMQ 5 and 4 from Maven Central, and the programs in java/, compiled for each.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../cache.mjs';

/** RocketMQ 5 and 4, once `npm run setup -- rocketmq` has installed them. */
export const rocketMqHome = cacheFolder('rocketmq');

/** The installed versions. `pom-<version>.xml` names the release of each. */
export const versions = [5, 4];

const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const here = import.meta.dirname;
const programs = join(here, 'java');
const manifest = join(programs, 'loopback.txt');

/** Path of a JDK program; from JAVA_HOME if that is set. */
export function jdk(program) {
  return process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', program) : program;
}

/** Java's class path for a server of this version. */
export function classPath(home, version) {
  return [join(home, `${version}/classes`), join(home, `${version}/lib/*`)].join(':');
}

/** The Java agent that keeps a server of this version on loopback. */
export function loopbackAgent(home, version) {
  return join(home, `${version}/loopback.jar`);
}

/** Whether `home` holds the releases and programs of this version of the project. */
export function isInstalled(home) {
  return versions.every((version) => hasJars(home, version) && isStamped(home, version, 'classes', inputs()));
}

/**
 * Installs both versions: 130 MB, about a minute the first time. Later calls fetch only what has changed.
 *
 * @throws Error if the JDK or Maven is missing
 */
export function install(home) {
  needed(jdk('javac'), '-version', 'a JDK of 11 or newer');
  needed('mvn', '--version', 'Apache Maven');
  for (const version of versions) {
    if (!hasJars(home, version)) fetchJars(home, version);
    const classes = join(home, `${version}/classes`);
    run(jdk('javac'), ['-nowarn', '-cp', classPath(home, version), '-d', classes, ...sources()]);
    run(jdk('jar'), ['--create', '--file', loopbackAgent(home, version), '--manifest', manifest]);
    stamp(home, version, 'classes', inputs());
  }
}

function fetchJars(home, version) {
  console.log(`RocketMQ ${release(version)} …`);
  const lib = join(home, `${version}/lib`);
  rmSync(lib, { recursive: true, force: true });
  const options = ['-DincludeScope=runtime', `-DoutputDirectory=${lib}`];
  run('mvn', ['-B', '-q', '-f', pom(version), `${PLUGIN}:copy-dependencies`, ...options]);
  stamp(home, version, 'lib', [pom(version)]);
}

function hasJars(home, version) {
  return isStamped(home, version, 'lib', [pom(version)]);
}

function pom(version) {
  return join(here, `pom-${version}.xml`);
}

function release(version) {
  return /<rocketmq\.version>(.*)<\/rocketmq\.version>/.exec(readFileSync(pom(version), 'utf8'))[1];
}

function sources() {
  const names = readdirSync(programs).filter((name) => name.endsWith('.java'));
  return names.sort().map((name) => join(programs, name));
}

function inputs() {
  return [...sources(), manifest];
}

// A folder is current if it is complete and was made from these files' present contents.
function isStamped(home, version, folder, files) {
  const file = stampOf(home, version, folder);
  return existsSync(file) && readFileSync(file, 'utf8') === hash(files);
}

function stamp(home, version, folder, files) {
  writeFileSync(stampOf(home, version, folder), hash(files));
}

function stampOf(home, version, folder) {
  return join(home, String(version), `${folder}.sha256`);
}

function hash(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}

function needed(program, question, what) {
  const { status, error } = spawnSync(program, [question], { stdio: 'ignore' });
  if (status === 0) return;
  const reason = error?.code === 'ENOENT' ? 'not found' : (error?.message ?? `exit ${status}`);
  throw new Error(`RocketMQ needs ${what}; ${program}: ${reason}`, { cause: error });
}

function run(program, args) {
  execFileSync(program, args, { stdio: 'inherit' });
}
