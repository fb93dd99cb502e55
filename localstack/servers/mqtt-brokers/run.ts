import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeAuthority } from '../certificates.ts';
import { freePorts } from '../ports.ts';
import type { MqttBroker, MqttBrokerOptions } from './broker.ts';
import type { BrokerProgram, Layout } from './layout.ts';
import { listens, probe } from './probe.ts';
import { readLog, type ServerProcess, startProcess } from './process.ts';

const TIMEOUT_MS = 120_000;
const POLL_MS = 10;
const LOG_LINES = 30;
const CERTIFICATES = {
  ca: 'ca.pem',
  certificate: 'server.pem',
  key: 'server.key',
  clientCertificate: 'client.pem',
  clientKey: 'client.key',
};

/** Configures and starts a broker in a folder of its own. */
export async function runBroker(program: BrokerProgram, options: MqttBrokerOptions): Promise<MqttBroker> {
  const { name, version } = program;
  const { home } = options;
  if (!program.isInstalled(home)) throw new Error(`${name} is not in ${home}. Run \`npm run setup -- mqtt-brokers\``);
  const authority = makeAuthority('Outflow MQTT test authority');
  const client = authority.issue({ host: 'client' });
  // On macOS the temporary folder's name is a symbolic link.
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'outflow-mqtt-'));
  const users = new Map(Object.entries(options.users ?? {}));
  const first = await freePorts(3);
  const layout: Layout = {
    home,
    folder,
    ports: { tcp: first, tls: first + 1, mtls: first + 2 },
    files: writeCertificates(folder, {
      ca: authority.ca,
      ...authority.issue(),
      clientCertificate: client.certificate,
      clientKey: client.key,
    }),
    users,
    anonymous: options.anonymous ?? users.size === 0,
    deniedTopics: options.deniedTopics ?? [],
    persistence: options.persistence ?? true,
    receiveMaximum: options.receiveMaximum,
    maxConnections: options.maxConnections,
    maxKeepaliveSeconds: options.maxKeepaliveSeconds,
    maxPacketBytes: options.maxPacketBytes,
  };
  let running: ServerProcess | undefined;

  /** @throws Error with the end of the log if the broker ends first, or two minutes are over */
  async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!(await condition())) {
      const end = running === undefined ? 'it is down' : running.ended();
      const why = end ?? (Date.now() > deadline && `not within ${TIMEOUT_MS / 1000} s`);
      if (why) throw new Error(`${name}: ${what}: ${why}. The end of its log:\n${tail(folder)}`);
      await sleep(POLL_MS);
    }
  }

  async function start(): Promise<void> {
    running = await startProcess(program.command(layout), folder);
    await until('accepts connections', async () => {
      for (const port of Object.values(layout.ports)) if (!(await listens(port))) return false;
      const [user] = users;
      const code = await probe(layout.ports.tcp, user);
      return user || layout.anonymous ? code === 0 : code !== undefined;
    });
  }

  async function end(how: 'stop' | 'kill'): Promise<void> {
    const process = running;
    running = undefined;
    if (process?.ended() === undefined) await process?.[how]();
  }

  async function close(): Promise<void> {
    await end('kill');
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    for (const name of ['conf', 'data']) mkdirSync(join(folder, name));
    program.configure(layout);
    program.writeUsers(layout);
    await start();
  } catch (error) {
    await close();
    throw error;
  }

  const { save } = program;
  return {
    name,
    version,
    host: '127.0.0.1',
    port: layout.ports.tcp,
    tlsPort: layout.ports.tls,
    mtlsPort: layout.ports.mtls,
    ca: authority.ca,
    client,
    folder,
    get pid() {
      return running?.ended() === undefined ? running?.pid : undefined;
    },
    log: () => readLog(folder),
    async setPassword(user, password) {
      if (!users.has(user)) throw new Error(`user: got ${user}; expected one of ${[...users.keys()].join(', ')}`);
      users.set(user, password);
      program.writeUsers(layout);
      if (running === undefined) return;
      if (program.reloadSignal) running.signal(program.reloadSignal);
      await until(`accepts the new password of ${user}`, async () => (await probe(first, [user, password])) === 0);
    },
    stop: () => end('stop'),
    kill: () => end('kill'),
    async restart() {
      await end('stop');
      await start();
    },
    ...(save &&
      layout.persistence && {
        async save() {
          const file = save.file(layout);
          const before = changed(file);
          running?.signal(save.signal);
          await until('saves its data', () => changed(file) !== before);
        },
      }),
    close,
  };
}

function writeCertificates(folder: string, pems: Readonly<Record<keyof typeof CERTIFICATES, string>>): Layout['files'] {
  const write = (name: keyof typeof CERTIFICATES) => {
    const file = join(folder, CERTIFICATES[name]);
    writeFileSync(file, pems[name], { mode: 0o600 });
    return file;
  };
  // For clients that are programs.
  for (const name of ['clientCertificate', 'clientKey'] as const) write(name);
  return { ca: write('ca'), certificate: write('certificate'), key: write('key') };
}

/** When a file was last changed, in nanoseconds. */
function changed(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
}

function tail(folder: string): string {
  return readLog(folder).trimEnd().split('\n').slice(-LOG_LINES).join('\n');
}
