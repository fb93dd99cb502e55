// `npm run mqtt-broker -- mosquitto` (or hivemq, artemis): runs an MQTT broker without Docker until Ctrl-C.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mqttBrokersHome as home, install, isInstalled } from '../localstack/servers/mqtt-brokers/install.mjs';
import { ready } from './ready.mjs';

const NAMES = ['mosquitto', 'hivemq', 'artemis'];
const USER = { name: 'outflow', password: 'outflow' };
const DENIED = 'denied/#';

const [name = 'mosquitto', ...more] = process.argv.slice(2);
if (more.length > 0 || !NAMES.includes(name)) {
  console.error(`broker: got '${[name, ...more].join(' ')}'; expected one of ${NAMES.join(', ')}`);
  process.exit(2);
}
ready(dirname(dirname(fileURLToPath(import.meta.url))));
const { register } = await import('tsx/esm/api');
register();
const { startArtemis, startHiveMq, startMosquitto } = await import('../localstack/servers/mqtt-brokers/start.ts');
const start = { mosquitto: startMosquitto, hivemq: startHiveMq, artemis: startArtemis };

const interrupted = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, resolve);
});
void interrupted.then(() => console.log('\nStopping …'));

try {
  if (!isInstalled(home)) install(home);
  console.log(`Starting ${name} …`);
  const broker = await start[name]({
    home,
    users: { [USER.name]: USER.password },
    anonymous: true,
    deniedTopics: [DENIED],
  });
  announce(broker);
  await interrupted;
  await broker.close();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
// After a failed start, the signal handlers would keep this process running.
process.exit();

function announce({ version, host, port, tlsPort, mtlsPort, folder }) {
  console.log(`
Ready: ${name} ${version}. Clients connect with or without a user name.

  TCP                      mqtt://${host}:${port}
  TLS                      mqtts://localhost:${tlsPort}
  with client certificate  mqtts://localhost:${mtlsPort}
  user                     ${USER.name}, password ${USER.password}
  denied topics            ${DENIED}
  authority                ${join(folder, 'ca.pem')}
  client certificate       ${join(folder, 'client.pem')}, key ${join(folder, 'client.key')}
  log                      ${join(folder, 'broker.log')}

Ctrl-C stops it and removes all messages.`);
}
