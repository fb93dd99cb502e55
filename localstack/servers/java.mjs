// What the set-up parts of Java servers share: the JDK, Maven, and folders that are current only as long as their sources.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';

/** Path of a JDK program; from JAVA_HOME if that is set. */
export function jdk(program) {
  return process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', program) : program;
}

/** @throws Error if the JDK or Maven is missing */
export function checkJava(server, oldest) {
  needed(server, jdk('javac'), '-version', `a JDK of ${oldest} or newer`);
  needed(server, 'mvn', '--version', 'Apache Maven');
}

/** Fetches the dependencies that a POM names into a folder. */
export function fetchDependencies(pom, folder) {
  rmSync(folder, { recursive: true, force: true });
  maven(['-f', pom, `${PLUGIN}:copy-dependencies`, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`]);
}

/** Fetches one artifact, `group:artifact:version:type:classifier`, into a folder. */
export function fetchArtifact(artifact, folder) {
  maven([`${PLUGIN}:copy`, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]);
}

/** Compiles Java programs. */
export function compile(sources, classPath, folder) {
  run(jdk('javac'), ['-nowarn', '-cp', classPath, '-d', folder, ...sources]);
}

/** Whether a folder is complete and was made from these files' present contents. */
export function isStamped(folder, files) {
  const file = stampOf(folder);
  return existsSync(file) && readFileSync(file, 'utf8') === hash(files);
}

/** Marks a folder as made from these files. */
export function stamp(folder, files) {
  writeFileSync(stampOf(folder), hash(files));
}

export function run(program, args) {
  execFileSync(program, args, { stdio: 'inherit' });
}

function maven(args) {
  run('mvn', ['-B', '-q', ...args]);
}

function needed(server, program, question, what) {
  const { status, error } = spawnSync(program, [question], { stdio: 'ignore' });
  if (status === 0) return;
  const reason = error?.code === 'ENOENT' ? 'not found' : (error?.message ?? `exit ${status}`);
  throw new Error(`${server} needs ${what}; ${program}: ${reason}`, { cause: error });
}

function stampOf(folder) {
  return `${folder}.sha256`;
}

function hash(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}
