import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Certificates } from '../certificates.ts';
import { type Acl, brokerAuthSettings, plainAcl, proxyAuthSettings } from './acl.ts';
import type { Topic } from './rocketmq.ts';

/** What the servers' configuration files are made from. */
export interface Layout {
  readonly version: 4 | 5;
  /** Holds the servers' configuration, data and logs. */
  readonly folder: string;
  readonly ports: Ports;
  readonly autoCreateTopics: boolean;
  readonly brokerSettings: Readonly<Record<string, string | number | boolean>>;
  readonly certificates: Certificates;
  readonly acl: Acl | undefined;
  readonly tls: boolean;
}

export interface Ports {
  readonly nameServer: number;
  /** The broker also listens on this port − 2 and on this port + 1. */
  readonly broker: number;
  readonly grpc: number;
  readonly proxy: number;
}

/** Queues of a topic by default. */
export const QUEUES = 4;

/** Paths of the server's certificate, its key, and the authority's certificate. */
export function certificateFiles({ folder }: Layout): Readonly<Record<keyof Certificates, string>> {
  const file = (name: string) => join(folder, 'conf', name);
  return { ca: file('ca.pem'), certificate: file('server.pem'), key: file('server.key') };
}

const MB = 1024 * 1024;

export function nameServerFile({ folder }: Layout): string {
  return join(folder, 'name-server.conf');
}

export function brokerFile({ folder }: Layout): string {
  return join(folder, 'broker.conf');
}

export function proxyFile({ folder }: Layout): string {
  return join(folder, 'conf/rmq-proxy.json');
}

/** Writes all files, also before a restart: the broker saves settings that an admin tool has changed in its file. */
export function writeFiles(layout: Layout): void {
  const { folder, ports } = layout;
  mkdirSync(join(folder, 'conf'), { recursive: true });
  const files = certificateFiles(layout);
  for (const name of ['ca', 'certificate', 'key'] as const) writeFileSync(files[name], layout.certificates[name]);
  writeFileSync(nameServerFile(layout), properties({ listenPort: ports.nameServer, bindAddress: '127.0.0.1' }));
  writeFileSync(brokerFile(layout), properties(broker(layout)));
  writeFileSync(proxyFile(layout), JSON.stringify(proxy(layout)));
  if (layout.acl) writeFileSync(join(folder, 'conf/plain_acl.yml'), JSON.stringify(plainAcl(layout.acl)));
  // Version 4 exits without them.
  for (const name of ['namesrv', 'broker']) writeFileSync(join(folder, `conf/logback_${name}.xml`), LOG);
}

/** Stores topics and consumer groups before the broker's first start, which is faster than creating them later. */
export function seed(layout: Layout, topics: readonly Topic[], consumerGroups: readonly string[]): void {
  const folder = join(layout.folder, 'store/config');
  mkdirSync(folder, { recursive: true });
  const entries = topics.map(({ name, queues = QUEUES, type }) => [
    name,
    {
      topicName: name,
      readQueueNums: queues,
      writeQueueNums: queues,
      perm: 6,
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: 0,
      order: false,
      ...(layout.version === 5 && { attributes: { 'message.type': type ?? 'NORMAL' } }),
    },
  ]);
  const dataVersion = { counter: 1, timestamp: 1, ...(layout.version === 5 && { stateVersion: 0 }) };
  const table = { dataVersion, topicConfigTable: Object.fromEntries(entries) };
  writeFileSync(join(folder, 'topics.json'), JSON.stringify(table));
  const groups = consumerGroups.map((groupName) => [groupName, { groupName, retryQueueNums: 1, retryMaxTimes: 16 }]);
  const groupTable = { dataVersion, subscriptionGroupTable: Object.fromEntries(groups) };
  writeFileSync(join(folder, 'subscriptionGroup.json'), JSON.stringify(groupTable));
}

function broker(layout: Layout): Record<string, string | number | boolean> {
  const { version, folder, ports, autoCreateTopics, acl, brokerSettings } = layout;
  return {
    brokerClusterName: 'DefaultCluster',
    brokerName: 'broker-a',
    brokerId: 0,
    brokerRole: 'ASYNC_MASTER',
    flushDiskType: 'ASYNC_FLUSH',
    namesrvAddr: `127.0.0.1:${ports.nameServer}`,
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    listenPort: ports.broker,
    storePathRootDir: join(folder, 'store'),
    storePathCommitLog: join(folder, 'store/commitlog'),
    // Each file has its full size from its first message on.
    mappedFileSizeCommitLog: 16 * MB,
    mappedFileSizeConsumeQueue: 600_000,
    mappedFileSizeTimerLog: 4 * MB,
    maxIndexNum: 20_000,
    maxHashSlotNum: 5_000,
    // Version 5 needs it for delayed messages.
    timerWheelEnable: true,
    autoCreateTopicEnable: autoCreateTopics,
    autoCreateSubscriptionGroup: true,
    defaultTopicQueueNums: QUEUES,
    // The smallest value that the broker accepts.
    registerNameServerPeriod: 10_000,
    // With the defaults, the broker on a busy machine refuses messages as overload.
    osPageCacheBusyTimeOutMills: 30_000,
    waitTimeMillsInSendQueue: 30_000,
    brokerFastFailureEnable: false,
    // A flush copies 39 MB; the default is one a second.
    timerFlushIntervalMs: 10_000,
    diskMaxUsedSpaceRatio: 99,
    ...(acl && version === 4 && { aclEnable: true }),
    ...(acl && version === 5 && brokerAuthSettings()),
    ...brokerSettings,
  };
}

function proxy(layout: Layout): Record<string, unknown> {
  const { ports } = layout;
  const { certificate, key } = certificateFiles(layout);
  return {
    rocketMQClusterName: 'DefaultCluster',
    namesrvAddr: `127.0.0.1:${ports.nameServer}`,
    proxyMode: 'LOCAL',
    localServeAddr: '127.0.0.1',
    grpcServerPort: ports.grpc,
    remotingListenPort: ports.proxy,
    useEndpointPortFromRequest: false,
    // By default the proxy remembers for 20 s that a topic is missing.
    topicRouteServiceCacheRefreshSeconds: 1,
    // Lets consumers poll for one second; the default minimum is five.
    grpcClientConsumerMinLongPollingTimeoutMillis: 1_000,
    // Without a certificate the proxy generates one at each start, even with TLS off. That takes ten seconds.
    tlsTestModeEnable: false,
    tlsCertPath: certificate,
    tlsKeyPath: key,
    ...(layout.acl && proxyAuthSettings()),
  };
}

function properties(settings: Record<string, string | number | boolean>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

const LOG = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %p %t %logger{20} - %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
`;
