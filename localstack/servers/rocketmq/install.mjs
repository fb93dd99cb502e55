// The set-up part `rocketmq`: RocketMQ 5 and 4 from Maven Central, and the programs in java/, compiled for each.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../cache.mjs';
import { checkJava, compile, fetchDependencies, isStamped, jdk, run, stamp } from '../java.mjs';

/** RocketMQ 5 and 4, once `npm run setup -- rocketmq` has installed them. */
export const rocketMqHome = cacheFolder('rocketmq');

/** The installed versions. `pom-<version>.xml` names the release of each. */
export const versions = [5, 4];

const here = import.meta.dirname;
const programs = join(here, 'java');
const manifest = join(programs, 'loopback.txt');

/** Java's class path for a server of this version. */
export function classPath(home, version) {
  return [classes(home, version), `${lib(home, version)}/*`].join(':');
}

/** The Java agent that keeps a server of this version on loopback. */
export function loopbackAgent(home, version) {
  return join(home, `${version}/loopback.jar`);
}

/** Whether `home` holds the releases and programs of this version of the project. */
export function isInstalled(home) {
  return versions.every((version) => hasJars(home, version) && isStamped(classes(home, version), inputs()));
}

/**
 * Installs both versions: 130 MB, about a minute the first time. Later calls fetch only what has changed.
 *
 * @throws Error if the JDK or Maven is missing
 */
export function install(home) {
  checkJava('RocketMQ', 11);
  for (const version of versions) {
    if (!hasJars(home, version)) fetchJars(home, version);
    compile(sources(), classPath(home, version), classes(home, version));
    run(jdk('jar'), ['--create', '--file', loopbackAgent(home, version), '--manifest', manifest]);
    stamp(classes(home, version), inputs());
  }
}

function fetchJars(home, version) {
  console.log(`RocketMQ ${release(version)} …`);
  fetchDependencies(pom(version), lib(home, version));
  stamp(lib(home, version), [pom(version)]);
}

function hasJars(home, version) {
  return isStamped(lib(home, version), [pom(version)]);
}

function lib(home, version) {
  return join(home, `${version}/lib`);
}

function classes(home, version) {
  return join(home, `${version}/classes`);
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
