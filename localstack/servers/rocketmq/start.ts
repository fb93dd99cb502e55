import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../ports.ts';
import { type Acl, ADMIN } from './acl.ts';
import { makeCertificates } from './certificates.ts';
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
import { classPath, isInstalled } from './install.mjs';
import { type Jvm, type JvmOptions, startJvm } from './jvm.ts';
import { hasRoute as proxyHasRoute } from './proxy.ts';
import type { ConsumedMessage, RocketMq, Topic } from './rocketmq.ts';

export type { Acl } from './acl.ts';
export type * from './rocketmq.ts';

export interface RocketMqOptions {
  /** Where `npm run setup -- rocketmq` has put it. */
  readonly home: string;
  /** 5 is 5.5.0 with its proxy, 4 is 4.9.4. */
  readonly version: 4 | 5;
  /**
   * There from the start.
   *
   * @default - none
   */
  readonly topics?: readonly Topic[];
  /**
   * Whether the broker makes a topic with its first message; through the proxy it does not even then.
   *
   * @default false
   */
  readonly autoCreateTopics?: boolean;
  /**
   * Settings of the broker, such as `maxMessageSize` (bytes), by the names in its configuration.
   *
   * @default - its defaults, with small files
   */
  readonly brokerSettings?: Readonly<Record<string, string | number | boolean>>;
  /**
   * Lets in one user, and nobody else: ACL 1.0 with version 4, 2.0 with version 5.
   *
   * @default - lets in everybody
   */
  readonly acl?: Acl;
  /**
   * Whether all ports want TLS; see `RocketMq.caFile`.
   *
   * @default false
   */
  readonly tls?: boolean;
  /**
   * Whether the broker gets as fast as it would be in production; it needs some ten thousand messages to get there.
   *
   * @default false - it starts sooner
   */
  readonly isOptimized?: boolean;
  /**
   * Takes a line now and then while it starts.
   *
   * @default - silence
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
 * Starts RocketMQ on free ports. When the process that started it ends, it ends too.
 *
 * @throws with the last lines of a server's log, when that does not come up.
 */
export async function startRocketMq(options: RocketMqOptions): Promise<RocketMq> {
  const { home, version, topics = [], acl, progress = () => {} } = options;
  if (!isInstalled(home)) throw new Error(`RocketMQ is not in ${home}; \`npm run setup -- rocketmq\` puts it there`);
  // macOS names its temporary folder by a link.
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

  /** The name server knows the broker, and both answer; so does the proxy. */
  async function registered(): Promise<void> {
    const { broker: jvm, client } = running;
    await jvm!.until('is registered', () => client!.ask('isRegistered', { broker }), START_TIMEOUT_MS);
    if (endpoints) await jvm!.until('has its proxy', () => listens(layout.ports.grpc), START_TIMEOUT_MS);
    await Promise.all(topics.map(({ name }) => hasRoute(name)));
  }

  async function hasRoute(topic: string): Promise<void> {
    const { broker: jvm, client } = running;
    await jvm!.until(`has a route to ${topic}`, () => client!.ask('hasRoute', { topic }), START_TIMEOUT_MS);
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
    seed(layout, topics);
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
    if (acl && version === 5) await running.client.ask('createUser', { broker, ...acl });
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
      await client.ask('createTopic', { broker, topic: name, queues, ...(version === 5 && { type }) });
      await hasRoute(name);
    },
    send(topic, { body, ...rest }) {
      return client.ask('send', { topic, body: Buffer.from(body).toString('base64'), properties: {}, ...rest });
    },
    count: (topic) => client.ask('count', { topic }),
    async consume(topic, { count = 0, timeoutMs = CONSUME_TIMEOUT_MS } = {}) {
      await atLeast(client, topic, count, timeoutMs);
      const messages: ConsumedMessage[] = [];
      await client.ask('read', { topic }, (item: Item) => {
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
      await client.ask('register', { broker });
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
    directMb: BROKER_DIRECT_MB,
    properties: serverProperties(layout),
  };
}

function serverProperties(layout: Layout): Record<string, string> {
  return {
    ...tlsProperties(layout),
    // Above, it takes no more messages, and at 0.85 begins to remove what it holds.
    'rocketmq.broker.diskSpaceWarningLevelRatio': '0.99',
    'rocketmq.broker.diskSpaceCleanForciblyRatio': '0.99',
  };
}

/** For servers, which are clients of each other, and for clients. */
function tlsProperties(layout: Layout): Record<string, string> {
  const { ca, certificate, key } = certificateFiles(layout);
  return {
    // With it, each would make a key of its own, which takes long, and trust every server.
    'tls.test.mode.enable': 'false',
    // By default, a file of the machine.
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
  let count = await client.ask<number>('count', { topic });
  while (count < wanted) {
    if (Date.now() > deadline)
      throw new Error(`${topic} holds ${count} messages after ${timeoutMs / 1000} s; expected ${wanted}`);
    await sleep(POLL_MS);
    count = await client.ask<number>('count', { topic });
  }
}
