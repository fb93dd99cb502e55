// The set-up part `fault-proxy`: Toxiproxy's server, built with Go.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../cache.mjs';

/** Toxiproxy, once `npm run setup -- fault-proxy` has built it. */
export const faultProxyHome = cacheFolder('fault-proxy');

const VERSION = '2.12.0';
const MODULE = 'github.com/Shopify/toxiproxy/v2';
// The version in Toxiproxy's go.mod.
const OLDEST = '1.23';

/** Whether `home` holds the Toxiproxy version of this project. */
export function isInstalled(home) {
  return existsSync(executable(home));
}

/** Path of the server's executable. */
export function executable(home) {
  return join(home, `toxiproxy-${VERSION}`);
}

/**
 * Builds the server. Takes half a minute and, until it ends, 300 MB on disk.
 *
 * @throws Error if Go is missing or too old
 */
export function install(home) {
  checkGo();
  // Go would keep modules and objects in the user's folders.
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
    // Without it, modules are read-only and can't be removed.
    GOFLAGS: '-modcacherw',
    GO111MODULE: 'on',
    GOWORK: 'off',
    // The build needs no C compiler and fetches no other Go.
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
  };
}

function checkGo() {
  const expected = `expected Go ${OLDEST} or newer, which builds Toxiproxy ${VERSION}. Install it from https://go.dev/dl`;
  const { status, stdout, stderr, error } = spawnSync('go', ['env', 'GOVERSION'], {
    encoding: 'utf8',
    env: { ...process.env, GOTOOLCHAIN: 'local' },
  });
  if (error !== undefined) {
    const found = error.code === 'ENOENT' ? 'no `go` on the PATH' : error.message;
    throw new Error(`${found}; ${expected}`, { cause: error });
  }
  if (status !== 0) throw new Error(`\`go env\` failed: ${stderr.trim()}; ${expected}`);
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(stdout.trim()) ?? [];
  const [oldestMajor, oldestMinor] = OLDEST.split('.').map(Number);
  // A development build of Go has no version number and is newer than any release.
  if (major === undefined || Number(major) > oldestMajor) return;
  if (Number(major) < oldestMajor || Number(minor) < oldestMinor)
    throw new Error(`found ${stdout.trim()}; ${expected}`);
}
