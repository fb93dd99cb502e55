// ActiveMQ Artemis from Maven Central.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkJava, fetchArtifact, run } from '../../java.mjs';

export const ARTEMIS_VERSION = '2.44.0';

const NAME = `apache-artemis-${ARTEMIS_VERSION}`;

/** Java's class path for the broker. */
export function classPath(home) {
  return join(lib(home), '*');
}

export function isInstalled(home) {
  return existsSync(lib(home));
}

/** Installs the broker without its web console: 42 MB, five seconds. @throws Error if the JDK or Maven is missing */
export function install(home) {
  checkJava('Artemis', 17);
  console.log(`Artemis ${ARTEMIS_VERSION} …`);
  const build = join(home, 'build');
  rmSync(build, { recursive: true, force: true });
  mkdirSync(build, { recursive: true });
  try {
    fetchArtifact(`org.apache.activemq:apache-artemis:${ARTEMIS_VERSION}:tar.gz:bin`, build);
    run('tar', ['-xzf', join(build, `${NAME}-bin.tar.gz`), '-C', build, `${NAME}/lib`]);
    rmSync(join(home, NAME), { recursive: true, force: true });
    renameSync(join(build, NAME), join(home, NAME));
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

function lib(home) {
  return join(home, NAME, 'lib');
}
