import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCertificates } from '../certificates.ts';
import { freePorts } from '../ports.ts';
import { type Acl, ADMIN } from './acl.ts';
import { type Client, startClient } from './client.ts';
import {
  brokerFile,
  certificateFiles,
  type Layout,
  nameServerFile,
  type Ports,
  proxyFile,
  QUEUES,
  seed,
  writeFiles,
} from './files.ts';
import { classPath, isInstalled, loopbackAgent } from './install.mjs';
import { type Jvm, type JvmOptions, startJvm } from './jvm.ts';
import { hasRoute as proxyHasRoute } from './proxy.ts';
import type { ConsumedMessage, RocketMq, Topic } from './rocketmq.ts';

export type { Acl } from './acl.ts';
export type * from './rocketmq.ts';

export interface RocketMqOptions {
  /** The folder that `npm run setup -- rocketmq` has made. */
  readonly home: string;
  /** 5 is RocketMQ 5.5.0 with its proxy, 4 is 4.9.4. */
  readonly version: 4 | 5;
  /**
   * Topics that exist from the start.
   *
   * @default - none
   */
  readonly topics?: readonly Topic[];
  /**
   * Consumer groups that exist from the start. A consumer that reaches a broker creates its group; one that reaches a proxy does not.
   *
   * @default - none
   */
  readonly consumerGroups?: readonly string[];
  /**
   * Whether the broker creates a topic with its first message. Through the proxy it never does.
   *
   * @default false
   */
  readonly autoCreateTopics?: boolean;
  /**
   * Broker settings by their names in its configuration, such as `maxMessageSize` (bytes).
   *
   * @default - RocketMQ's defaults, with small files
   */
  readonly brokerSettings?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Turns access control on (ACL 1.0 with version 4, 2.0 with version 5) for one user.
   *
   * @default - no access control
   */
  readonly acl?: Acl;
  /**
   * Whether all ports require TLS; see `RocketMq.caFile`.
   *
   * @default false
   */
  readonly tls?: boolean;
  /**
   * Whether the broker runs as fast as in production, after some ten thousand messages.
   *
   * @default false - the broker starts sooner
   */
  readonly isOptimized?: boolean;
  /**
   * Called with a line of progress after each server's start.
   *
   * @default - no progress is reported
   */
  readonly progress?: (line: string) => void;
}

const START_TIMEOUT_MS = 120_000;
const CONSUME_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const NAME_SERVER_HEAP_MB = 64;
const BROKER_HEAP_MB = { 4: 192, 5: 384 };
const BROKER_DIRECT_MB = 256;

/**
 * Starts RocketMQ on free ports. The servers end with the process that has started them.
 *
 * @throws Error with the last lines of a server's log if the server does not start within two minutes
 */
export async function startRocketMq(options: RocketMqOptions): Promise<RocketMq> {
  const { home, version, topics = [], acl, progress = () => {} } = options;
  if (!isInstalled(home)) throw new Error(`RocketMQ is not in ${home}. Run \`npm run setup -- rocketmq\``);
  // On macOS the temporary folder's name is a symbolic link.
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'outflow-rocketmq-'));
  const layout = {
    version,
    folder,
    ports: await choosePorts(),
    autoCreateTopics: options.autoCreateTopics ?? false,
    brokerSettings: options.brokerSettings ?? {},
    certificates: makeCertificates(),
    acl: options.acl,
    tls: options.tls ?? false,
  };
  const nameServer = `127.0.0.1:${layout.ports.nameServer}`;
  const broker = `127.0.0.1:${layout.ports.broker}`;
  const endpoints = version === 5 ? `127.0.0.1:${layout.ports.grpc}` : undefined;
  const access = { ...(acl && { credentials: ADMIN }), ...(layout.tls && { ca: layout.certificates.ca }) };
  const running: { nameServer?: Jvm; broker?: Jvm; client?: Client } = {};

  async function startNameServer(): Promise<void> {
    await running.nameServer?.kill();
    running.nameServer = await startJvm(nameServerJvm(home, layout));
    await running.nameServer.until('listens', () => listens(layout.ports.nameServer), START_TIMEOUT_MS);
  }

  async function startBroker(): Promise<void> {
    await running.broker?.kill();
    writeFiles(layout);
    running.broker = await startJvm({ ...brokerJvm(home, layout), isOptimized: options.isOptimized ?? false });
    await registered();
  }

  /** Resolves when the broker is registered, the proxy listens, and all topics have routes. */
  async function registered(): Promise<void> {
    const { broker: jvm, client } = running;
    await jvm!.until('is registered', () => client!.call('isRegistered', { broker }), START_TIMEOUT_MS);
    if (endpoints) await jvm!.until('has its proxy', () => listens(layout.ports.grpc), START_TIMEOUT_MS);
    await Promise.all(topics.map(({ name }) => hasRoute(name)));
  }

  async function hasRoute(topic: string): Promise<void> {
    const { broker: jvm, client } = running;
    await jvm!.until(`has a route to ${topic}`, () => client!.call('hasRoute', { topic }), START_TIMEOUT_MS);
    if (!endpoints) return;
    await jvm!.until(
      `has a route to ${topic} by proxy`,
      () => proxyHasRoute(endpoints, topic, access),
      START_TIMEOUT_MS,
    );
  }

  async function close(): Promise<void> {
    await Promise.all(Object.values(running).map((jvm) => jvm.kill()));
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    writeFiles(layout);
    seed(layout, topics, options.consumerGroups ?? []);
    const started = Date.now();
    const said = (line: string) => progress(`${line} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    running.client = await startClient({
      folder,
      classPath: classPath(home, version),
      nameServer,
      credentials: acl && ADMIN,
      properties: tlsProperties(layout),
    });
    await startNameServer();
    said(`Name server ${nameServer}`);
    await startBroker();
    if (acl && version === 5) await running.client.call('createUser', { broker, ...acl });
    said(`Broker ${broker}${endpoints ? `, proxy ${endpoints}` : ''}`);
  } catch (error) {
    await close();
    throw error;
  }
  const client = running.client;

  return {
    version,
    nameServer,
    broker,
    endpoints,
    caFile: layout.tls ? certificateFiles(layout).ca : undefined,
    folder,
    get pids() {
      return Object.values(running).map(({ pid }) => pid);
    },
    async createTopic({ name, queues = QUEUES, type = 'NORMAL' }) {
      await client.call('createTopic', { broker, topic: name, queues, ...(version === 5 && { type }) });
      await hasRoute(name);
    },
    send(topic, { body, ...rest }) {
      return client.call('send', { topic, body: Buffer.from(body).toString('base64'), properties: {}, ...rest });
    },
    count: (topic) => client.call('count', { topic }),
    async consume(topic, { count = 0, timeoutMs = CONSUME_TIMEOUT_MS } = {}) {
      await atLeast(client, topic, count, timeoutMs);
      const messages: ConsumedMessage[] = [];
      await client.call('read', { topic }, (item: Item) => {
        messages.push({ ...item, body: Buffer.from(item.body, 'base64') });
      });
      return messages;
    },
    async stopBroker() {
      await running.broker?.kill();
    },
    startBroker,
    async stopNameServer() {
      await running.nameServer?.kill();
    },
    async startNameServer() {
      await startNameServer();
      if (!running.broker?.isRunning()) return;
      await client.call('register', { broker });
      await registered();
    },
    close,
  };
}

interface Item extends Omit<ConsumedMessage, 'body'> {
  /** base64 */
  readonly body: string;
}

async function choosePorts(): Promise<Ports> {
  const first = await freePorts(6);
  return { nameServer: first, grpc: first + 2, broker: first + 3, proxy: first + 5 };
}

function nameServerJvm(home: string, layout: Layout): JvmOptions {
  return {
    name: 'name-server',
    folder: layout.folder,
    classPath: classPath(home, layout.version),
    main: ['Server', 'org.apache.rocketmq.namesrv.NamesrvStartup', '-c', nameServerFile(layout)],
    heapMb: NAME_SERVER_HEAP_MB,
    agent: loopbackAgent(home, layout.version),
    properties: serverProperties(layout),
  };
}

function brokerJvm(home: string, layout: Layout): JvmOptions {
  const { version, folder, ports } = layout;
  const main = {
    4: ['org.apache.rocketmq.broker.BrokerStartup', '-c', brokerFile(layout)],
    5: [
      'org.apache.rocketmq.proxy.ProxyStartup',
      ...['-pm', 'local', '-pc', proxyFile(layout), '-bc', brokerFile(layout), '-n', `127.0.0.1:${ports.nameServer}`],
    ],
  };
  return {
    name: 'broker',
    folder,
    classPath: classPath(home, version),
    main: ['Server', ...main[version]],
    heapMb: BROKER_HEAP_MB[version],
    agent: loopbackAgent(home, version),
    directMb: BROKER_DIRECT_MB,
    properties: serverProperties(layout),
  };
}

function serverProperties(layout: Layout): Record<string, string> {
  return {
    ...tlsProperties(layout),
    // Above this ratio the broker refuses messages; by default it removes stored ones from 0.85.
    'rocketmq.broker.diskSpaceWarningLevelRatio': '0.99',
    'rocketmq.broker.diskSpaceCleanForciblyRatio': '0.99',
  };
}

/** TLS properties of servers and of clients; the servers are clients of each other. */
function tlsProperties(layout: Layout): Record<string, string> {
  const { ca, certificate, key } = certificateFiles(layout);
  return {
    // In test mode each process generates a key, which is slow, and trusts every server.
    'tls.test.mode.enable': 'false',
    // The default is a file outside the folder.
    'tls.config.file': join(layout.folder, 'conf/tls.properties'),
    'tls.server.mode': layout.tls ? 'enforcing' : 'disabled',
    'tls.server.certPath': certificate,
    'tls.server.keyPath': key,
    'tls.enable': String(layout.tls),
    'tls.client.authServer': 'true',
    'tls.client.trustCertPath': ca,
  };
}

async function listens(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function atLeast(client: Client, topic: string, wanted: number, timeoutMs: number): Promise<void> {
  if (wanted === 0) return;
  const deadline = Date.now() + timeoutMs;
  let count = await client.call<number>('count', { topic });
  while (count < wanted) {
    if (Date.now() > deadline)
      throw new Error(`${topic} holds ${count} messages after ${timeoutMs / 1000} s; expected ${wanted}`);
    await sleep(POLL_MS);
    count = await client.call<number>('count', { topic });
  }
}
