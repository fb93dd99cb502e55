// How `rocketmq-client-nodejs` comes into a bundle: as it is, it dies at its import there.
import { readFile } from 'node:fs/promises';

const CLIENT = /[\\/]node_modules[\\/]rocketmq-client-nodejs[\\/]/;
const USER_AGENT = /[\\/]rocketmq-client-nodejs[\\/]dist[\\/]client[\\/]UserAgent\.js$/;
/** In compiled code: the version, read from the package's own file when the module is loaded. */
const OWN_VERSION = /JSON\.parse\([^;]*?readFileSync\)?\([^;]*?'\.\.\/\.\.\/package\.json'[^;]*?\)\.version(?=;)/g;

/** What stands in for packages that the client imports, by their names. */
const STAND_INS = {
  // Native code, and only consumers want it.
  '@node-rs/crc32': "exports.crc32 = require('node:zlib').crc32;",
  // Runs ifconfig for a network address; we give the client one of our own.
  address: 'exports.mac = () => {};',
  // Writes files under the home folder; we give the client a logger of our own.
  'egg-logger': "exports.EggLogger = class { constructor() { throw new Error('expected a logger'); } };",
};
const NAMESPACE = 'rocketmq-client';

/** An esbuild plugin. A substitution that does not come about ends the build: the client has changed, or what it imports. */
export function rocketMqClient() {
  return {
    name: NAMESPACE,
    setup(build) {
      const done = new Set();
      let isBundled = false;
      build.onStart(() => {
        done.clear();
        isBundled = false;
      });
      build.onResolve({ filter: /^(@node-rs\/crc32|address|egg-logger)$/ }, ({ path, importer }) => {
        if (!CLIENT.test(importer)) return undefined;
        done.add(path);
        return { path, namespace: NAMESPACE };
      });
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({ contents: STAND_INS[path], loader: 'js' }));
      build.onLoad({ filter: CLIENT }, async ({ path }) => {
        isBundled = true;
        if (!USER_AGENT.test(path)) return undefined;
        const text = await readFile(path, 'utf8');
        const { version } = JSON.parse(await readFile(path.replace(/dist[\\/].*$/, 'package.json'), 'utf8'));
        if (text.match(OWN_VERSION)?.length === 1) done.add('UserAgent.js');
        return { contents: text.replace(OWN_VERSION, JSON.stringify(version)), loader: 'js' };
      });
      build.onEnd(() => {
        const missing = isBundled ? ['UserAgent.js', ...Object.keys(STAND_INS)].filter((name) => !done.has(name)) : [];
        return {
          errors: missing.map((name) => ({
            text: `rocketmq-client-nodejs does not use ${name} as it did: see scripts/rocketmq-client.mjs`,
          })),
        };
      });
    },
  };
}
