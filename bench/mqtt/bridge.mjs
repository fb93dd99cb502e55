// The peer: a bridge written by hand with MQTT.js. It acknowledges a message after its copy is acknowledged, one batch at a time.
import mqtt from 'mqtt';

const [server] = process.argv.slice(2);
const connect = (clientId, clean) =>
  mqtt.connectAsync(server, {
    protocolVersion: 5,
    clientId,
    clean,
    reconnectPeriod: 0,
    properties: { receiveMaximum: 1_000, ...(!clean && { sessionExpiryInterval: 3_600 }) },
  });
const to = await connect('bridge-out', true);
const from = await connect('bridge-in', false);

const MOST = 500;
let waiting = [];
let isBusy = false;

// An error given to the callback skips the acknowledgement of MQTT.js, so that the pump goes on.
from.handleMessage = (packet, done) => {
  waiting.push(packet);
  if (!isBusy) void deliver();
  done(new Error('acknowledged later'));
};

async function deliver() {
  isBusy = true;
  await null;
  while (waiting.length > 0) {
    const batch = waiting.slice(0, MOST);
    waiting = waiting.slice(MOST);
    await Promise.all(
      batch.map(({ topic, payload }) => {
        if (!(JSON.parse(payload.toString('utf8')).temp > 20)) return undefined;
        return to.publishAsync(`out/${topic}`, payload, { qos: 1 });
      }),
    );
    for (const { messageId } of batch) from._sendPacket({ cmd: 'puback', messageId, reasonCode: 0 });
  }
  isBusy = false;
}

await from.subscribeAsync('in/#', { qos: 1 });
const before = process.cpuUsage();
process.send('ready');
process.once('message', () => {
  // Ending the clients would throw for each acknowledgement that is not written yet.
  process.send({ cpuMs: cpuMs() }, () => process.exit());
});

function cpuMs() {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
