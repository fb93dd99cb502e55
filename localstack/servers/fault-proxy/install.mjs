// The set-up part `fault-proxy`: Toxiproxy's server, built by Go.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../cache.mjs';

/** Toxiproxy, once `npm run setup -- fault-proxy` has built it. */
export const faultProxyHome = cacheFolder('fault-proxy');

const VERSION = '2.12.0';
const MODULE = 'github.com/Shopify/toxiproxy/v2';
// What its go.mod asks for.
const OLDEST = '1.23';

/** Whether `home` holds what this version of the project wants. */
export function isInstalled(home) {
  return existsSync(executable(home));
}

/** Its one file. */
export function executable(home) {
  return join(home, `toxiproxy-${VERSION}`);
}

/** Builds it: half a minute, and 300 MB that are gone afterwards. @throws when Go is missing or too old. */
export function install(home) {
  checkGo();
  // Modules and objects go there and not to the user's folders, which would keep them.
  const build = join(home, 'build');
  mkdirSync(build, { recursive: true });
  console.log(`Toxiproxy ${VERSION}: half a minute …`);
  try {
    execFileSync(
      'go',
      ['install', '-ldflags', `-s -w -X ${MODULE}.Version=${VERSION}`, `${MODULE}/cmd/server@v${VERSION}`],
      { cwd: build, stdio: 'inherit', env: goEnvironment(build) },
    );
    renameSync(join(build, 'bin/server'), executable(home));
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}

function goEnvironment(build) {
  return {
    ...process.env,
    GOPATH: join(build, 'path'),
    GOMODCACHE: join(build, 'modules'),
    GOCACHE: join(build, 'objects'),
    GOBIN: join(build, 'bin'),
    // Modules are read-only otherwise, and could not be removed.
    GOFLAGS: '-modcacherw',
    GO111MODULE: 'on',
    GOWORK: 'off',
    // Neither a C compiler nor another Go.
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
  };
}

function checkGo() {
  const wanted = `Go ${OLDEST} or newer, which Toxiproxy ${VERSION} is built with (https://go.dev/dl)`;
  const { status, stdout, stderr, error } = spawnSync('go', ['env', 'GOVERSION'], {
    encoding: 'utf8',
    env: { ...process.env, GOTOOLCHAIN: 'local' },
  });
  if (error !== undefined) {
    const found = error.code === 'ENOENT' ? 'no `go` on the PATH' : error.message;
    throw new Error(`${found}; expected ${wanted}`, { cause: error });
  }
  if (status !== 0) throw new Error(`\`go env\` failed: ${stderr.trim()}; expected ${wanted}`);
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(stdout.trim()) ?? [];
  const [oldestMajor, oldestMinor] = OLDEST.split('.').map(Number);
  // A Go built from its own sources names no number, and is newer than any.
  if (major === undefined || Number(major) > oldestMajor) return;
  if (Number(major) < oldestMajor || Number(minor) < oldestMinor)
    throw new Error(`found ${stdout.trim()}; expected ${wanted}`);
}
