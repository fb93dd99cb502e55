import { join } from 'node:path';
import type { MqttBroker, MqttBrokerOptions } from '../broker.ts';
import { element, writeFile, type Xml } from '../files.ts';
import { java } from '../jvm.ts';
import type { Layout } from '../layout.ts';
import { runBroker } from '../run.ts';
import { classPath, HIVEMQ_VERSION, isInstalled } from './install.mjs';

const HEAP_MB = 512;
// The default is 1,000: HiveMQ acknowledges and drops each message that a session's queue has no room for.
const QUEUED_MESSAGES = 1_000_000;
const KEY_STORE_PASSWORD = 'changeit';

/**
 * Starts HiveMQ CE, with queues of 1,000,000 messages and at most 1,000 messages in flight to a client. It refuses a client beyond `maxConnections` by CONNACK 0x97.
 *
 * @throws Error with the end of its log if it does not start within two minutes
 */
export function startHiveMq(options: MqttBrokerOptions): Promise<MqttBroker> {
  return runBroker(
    {
      name: 'hivemq',
      version: HIVEMQ_VERSION,
      isInstalled,
      configure(layout) {
        writeFile(layout, 'conf/config.xml', configuration(layout).xml);
        writeFile(layout, 'conf/logback.xml', LOG);
      },
      writeUsers: (layout) => {
        const { users, anonymous, deniedTopics } = layout;
        writeFile(layout, 'access.json', JSON.stringify({ users: Object.fromEntries(users), anonymous, deniedTopics }));
      },
      command: (layout) =>
        java(layout, { classPath: classPath(layout.home), main: ['Broker', layout.folder], heapMb: HEAP_MB }),
    },
    options,
  );
}

function configuration(layout: Layout): Xml {
  const { ports, maxConnections } = layout;
  return element('hivemq', [
    element('listeners', [
      listener('tcp-listener', ports.tcp),
      listener('tls-tcp-listener', ports.tls, tls(layout)),
      listener('tls-tcp-listener', ports.mtls, tls(layout, { requiresCertificate: true })),
    ]),
    mqtt(layout),
    element('persistence', [element('mode', layout.persistence ? 'file' : 'in-memory')]),
    maxConnections === undefined ? undefined : element('restrictions', [element('max-connections', maxConnections)]),
    element('anonymous-usage-statistics', [element('enabled', false)]),
  ]);
}

function mqtt({ receiveMaximum, maxKeepaliveSeconds, maxPacketBytes }: Layout): Xml {
  const limit = (group: string, name: string, value: number | undefined) =>
    value === undefined ? undefined : element(group, [element(name, value)]);
  return element('mqtt', [
    limit('queued-messages', 'max-queue-size', QUEUED_MESSAGES),
    limit('receive-maximum', 'server-receive-maximum', receiveMaximum),
    limit('keep-alive', 'max-keep-alive', maxKeepaliveSeconds),
    limit('packets', 'max-packet-size', maxPacketBytes),
  ]);
}

function listener(type: string, port: number, security?: Xml): Xml {
  return element(type, [element('port', port), element('bind-address', '127.0.0.1'), security]);
}

function tls({ folder }: Layout, { requiresCertificate = false } = {}): Xml {
  const store = (name: string, file: string, ...more: Xml[]) =>
    element(name, [element('path', join(folder, file)), element('password', KEY_STORE_PASSWORD), ...more]);
  return element('tls', [
    store('keystore', 'server.p12', element('private-key-password', KEY_STORE_PASSWORD)),
    ...(requiresCertificate
      ? [store('truststore', 'trusted.p12'), element('client-authentication-mode', 'REQUIRED')]
      : []),
  ]);
}

// By default HiveMQ does not log its clients and the messages that it drops.
const LOG = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %p %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
  <logger name="event.client-connected" level="DEBUG"/>
  <logger name="event.client-disconnected" level="DEBUG"/>
  <logger name="event.message-dropped" level="DEBUG"/>
</configuration>
`;
