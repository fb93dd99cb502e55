import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { MqttBroker, MqttBrokerOptions } from '../broker.ts';
import { writeFile } from '../files.ts';
import type { Layout } from '../layout.ts';
import { runBroker } from '../run.ts';
import { executable, isInstalled, libraries, MOSQUITTO_VERSION } from './install.mjs';

/**
 * Starts mosquitto, with an unlimited queue for each session. It refuses a client beyond `maxConnections` by closing the connection
 * before CONNACK.
 *
 * @throws Error with the end of its log if it does not start within two minutes
 */
export function startMosquitto(options: MqttBrokerOptions): Promise<MqttBroker> {
  return runBroker(
    {
      name: 'mosquitto',
      version: MOSQUITTO_VERSION,
      isInstalled,
      configure(layout) {
        writeFile(layout, 'mosquitto.conf', configuration(layout));
        if (layout.deniedTopics.length > 0) writeFile(layout, 'acl', acl(layout));
      },
      writeUsers: (layout) => writeFile(layout, 'passwords', [...layout.users].map(passwordLine).join('')),
      command: (layout) => ({
        program: executable(layout.home),
        args: ['-c', join(layout.folder, 'mosquitto.conf')],
        env: { LD_LIBRARY_PATH: libraries(layout.home) },
      }),
      reloadSignal: 'SIGHUP',
      save: { signal: 'SIGUSR1', file: ({ folder }) => join(folder, 'data/mosquitto.db') },
    },
    options,
  );
}

function configuration(layout: Layout): string {
  const { folder, ports, files } = layout;
  const tls = { certfile: files.certificate, keyfile: files.key };
  const clientCertificate = { cafile: files.ca, require_certificate: true, use_identity_as_username: true };
  return [
    settings({
      // As root, mosquitto would become another user, who can't read the folder.
      user: userInfo().username,
      allow_anonymous: layout.anonymous,
      password_file: join(folder, 'passwords'),
      acl_file: layout.deniedTopics.length > 0 ? join(folder, 'acl') : undefined,
      persistence: layout.persistence,
      persistence_location: `${join(folder, 'data')}/`,
      autosave_interval: 1,
      // By default mosquitto acknowledges and drops each message that a queue of 1,000 has no room for.
      max_queued_messages: 0,
      max_inflight_messages: layout.receiveMaximum ?? 0,
      // Without it, acknowledgements in small writes wait 40 ms for each other.
      set_tcp_nodelay: true,
      max_keepalive: layout.maxKeepaliveSeconds,
      max_packet_size: layout.maxPacketBytes,
      // It buffers standard output.
      log_dest: 'stderr',
      log_timestamp_format: '%Y-%m-%dT%H:%M:%S',
    }),
    ...['error', 'warning', 'notice', 'information', 'subscribe', 'unsubscribe'].map((log_type) =>
      settings({ log_type }),
    ),
    listener(layout, ports.tcp),
    listener(layout, ports.tls, tls),
    listener(layout, ports.mtls, { ...tls, ...clientCertificate }),
  ].join('');
}

function listener({ maxConnections }: Layout, port: number, tls: Settings = {}): string {
  return settings({ listener: `${port} 127.0.0.1`, max_connections: maxConnections, ...tls });
}

/** Patterns apply to all users and to clients without a user name; denying ones come first. */
function acl({ deniedTopics }: Layout): string {
  return [...deniedTopics.map((filter) => `deny ${filter}`), 'readwrite #', 'read $SYS/#']
    .map((rule) => `pattern ${rule}\n`)
    .join('');
}

const ROUNDS = 101;

/** mosquitto_passwd's format 7. */
function passwordLine([user, password]: readonly [string, string]): string {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, ROUNDS, 64, 'sha512');
  return `${user}:$7$${ROUNDS}$${salt.toString('base64')}$${hash.toString('base64')}\n`;
}

type Settings = Readonly<Record<string, string | number | boolean | undefined>>;

function settings(values: Settings): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}
