import { join } from 'node:path';
import { element, type Xml } from '../files.ts';
import type { Layout } from '../layout.ts';

/** Artemis's main configuration file. */
export function brokerXml(layout: Layout): string {
  const core = element('core xmlns="urn:activemq:core"', [
    element('name', 'mqtt'),
    element('persistence-enabled', layout.persistence),
    element('journal-type', 'NIO'),
    element('journal-pool-files', 10),
    // Nanoseconds. The default collects writes for 3 ms.
    element('journal-buffer-timeout', 500_000),
    element('paging-directory', 'data/paging'),
    element('bindings-directory', 'data/bindings'),
    element('journal-directory', 'data/journal'),
    element('large-messages-directory', 'data/large-messages'),
    // By default Artemis accepts no messages on a disk that is full to 90%.
    element('max-disk-usage', 99),
    // By default a refused or accepted password holds for 10 s.
    element('authentication-cache-size', 0),
    element('acceptors', acceptors(layout)),
    element('security-settings', [
      permissions('#', 'amq'),
      ...layout.deniedTopics.map((filter) => permissions(addressOf(filter), 'nobody')),
    ]),
    element('address-settings', [
      element('address-setting match="#"', [
        // By default the tenth failed delivery moves a message to another address.
        element('max-delivery-attempts', -1),
        element('auto-create-queues', true),
        element('auto-create-addresses', true),
        element('max-size-bytes', -1),
      ]),
    ]),
  ]);
  return element('configuration xmlns="urn:activemq"', [core]).xml;
}

function acceptors(layout: Layout): Xml[] {
  const { folder, ports, files, maxConnections, maxKeepaliveSeconds = -1, maxPacketBytes } = layout;
  const acceptor = (name: string, port: number, security: Record<string, string | boolean> = {}) => {
    const parameters = Object.entries({
      protocols: 'MQTT',
      connectionsAllowed: maxConnections,
      serverKeepAlive: maxKeepaliveSeconds,
      maximumPacketSize: maxPacketBytes,
      ...security,
    }).filter(([, value]) => value !== undefined);
    const query = parameters.map(([key, value]) => `${key}=${value}`).join(';');
    return element(`acceptor name="${name}"`, `tcp://127.0.0.1:${port}?${query}`);
  };
  const tls = { sslEnabled: true, keyStoreType: 'PEMCFG', keyStorePath: join(folder, 'conf/key-store.properties') };
  return [
    acceptor('tcp', ports.tcp),
    acceptor('tls', ports.tls, tls),
    acceptor('mtls', ports.mtls, { ...tls, needClientAuth: true, trustStoreType: 'PEMCA', trustStorePath: files.ca }),
  ];
}

/** A more specific setting replaces a general one. @param clients the role that may publish and subscribe */
function permissions(match: string, clients: string): Xml {
  const queues = ['createNonDurableQueue', 'deleteNonDurableQueue', 'createDurableQueue', 'deleteDurableQueue'];
  const permission = (roles: string) => (type: string) => element(`permission type="${type}" roles="${roles}"`, '');
  return element(`security-setting match="${match}"`, [
    ...[...queues, 'createAddress', 'deleteAddress'].map(permission('amq')),
    ...['consume', 'browse', 'send'].map(permission(clients)),
  ]);
}

function addressOf(filter: string): string {
  return filter.replaceAll('/', '.').replaceAll('+', '*');
}
