// `npm run setup -- <part> …`: what some suites need beside Node and npm. Without a part, lists them.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, isInstalled } from '../localstack/docker-free/install.mjs';
import * as faultProxy from '../localstack/servers/fault-proxy/install.mjs';
import * as rocketMq from '../localstack/servers/rocketmq/install.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache');
const NODE_24 = `node-${process.platform}-${process.arch}`;
const NODE_24_VERSION = '24.21.0';

/** Lambda's runtime, once `npm run setup -- node24` has fetched it. */
export const node24 = join(cache, 'node24/node_modules', NODE_24, 'bin/node');

/** LocalStack without Docker, once `npm run setup -- localstack` has made it. */
export const localStackHome = join(cache, 'localstack');

/** The proxy that tests put faults in with, once `npm run setup -- fault-proxy` has built it. */
export const faultProxyHome = join(cache, 'fault-proxy');

/** RocketMQ 5 and 4, once `npm run setup -- rocketmq` has fetched them. */
export const rocketMqHome = join(cache, 'rocketmq');

/** Each part: what needs it, whether it is there, and how it comes. */
export const parts = [
  {
    name: 'node24',
    what: 'the deployed bundles under Node 24, Lambda’s runtime',
    isReady: () => existsSync(node24),
    install: () =>
      execFileSync(
        'npm',
        [
          'install',
          '--prefix',
          join(cache, 'node24'),
          '--no-audit',
          '--no-fund',
          '--no-save',
          `${NODE_24}@${NODE_24_VERSION}`,
        ],
        {
          stdio: 'inherit',
        },
      ),
  },
  {
    name: 'localstack',
    what: 'deployed stacks on LocalStack, without Docker',
    isReady: () => isInstalled(localStackHome),
    install: () => install(localStackHome),
  },
  {
    name: 'fault-proxy',
    what: 'faults on real connections, by Toxiproxy',
    isReady: () => faultProxy.isInstalled(faultProxyHome),
    install: () => faultProxy.install(faultProxyHome),
  },
  {
    name: 'rocketmq',
    what: 'RocketMQ 5 and 4, without Docker (JDK 17, Maven)',
    isReady: () => rocketMq.isInstalled(rocketMqHome),
    install: () => rocketMq.install(rocketMqHome),
  },
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => name !== 'all' && !parts.some((part) => part.name === name));
  if (wanted.length === 0 || unknown.length > 0) {
    for (const name of unknown) console.error(`No part '${name}'.`);
    for (const { name, what, isReady } of parts)
      console.log(`${name.padEnd(12)} ${isReady() ? 'ready  ' : 'missing'}  ${what}`);
    process.exitCode = unknown.length > 0 ? 1 : 0;
  }
  for (const part of parts) {
    if (!wanted.includes(part.name) && !wanted.includes('all')) continue;
    if (part.isReady()) console.log(`${part.name}: ready`);
    else part.install();
  }
}
