// HiveMQ CE from Maven Central, and the program in this folder that embeds it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkJava, compile, fetchDependencies, isStamped, stamp } from '../../java.mjs';

const pom = join(import.meta.dirname, 'pom.xml');
const program = join(import.meta.dirname, 'Broker.java');

/** @type {string} */
export const HIVEMQ_VERSION = /embedded<\/artifactId>\s*<version>(.*)<\/version>/.exec(readFileSync(pom, 'utf8'))[1];

/** Java's class path for the program. */
export function classPath(home) {
  return [classes(home), `${lib(home)}/*`].join(':');
}

export function isInstalled(home) {
  return isStamped(lib(home), [pom]) && isStamped(classes(home), [program]);
}

/** Installs HiveMQ CE: 100 MB, ten seconds. @throws Error if the JDK or Maven is missing */
export function install(home) {
  checkJava('HiveMQ', 11);
  if (!isStamped(lib(home), [pom])) {
    console.log(`HiveMQ CE ${HIVEMQ_VERSION} …`);
    fetchDependencies(pom, lib(home));
    stamp(lib(home), [pom]);
  }
  compile([program], classPath(home), classes(home));
  stamp(classes(home), [program]);
}

function lib(home) {
  return join(home, 'hivemq/lib');
}

function classes(home) {
  return join(home, 'hivemq/classes');
}
