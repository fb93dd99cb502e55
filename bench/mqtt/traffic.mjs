// Publishes the messages of 50 devices, and receives their copies: how many, in which order, and how long it took.
import mqtt from 'mqtt';

const [server, count, devices] = process.argv.slice(2).map((text, index) => (index === 0 ? text : Number(text)));
const IN_FLIGHT = 500;
const options = { protocolVersion: 5, reconnectPeriod: 0, properties: { receiveMaximum: 65_535 } };
const reader = await mqtt.connectAsync(server, options);
const writer = await mqtt.connectAsync(server, options);

const seen = new Map();
let received = 0;
let duplicates = 0;
let disordered = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});
reader.on('message', (topic, payload) => {
  const { n } = JSON.parse(payload.toString('utf8'));
  const last = seen.get(topic) ?? { highest: -1, numbers: new Set() };
  seen.set(topic, last);
  if (last.numbers.has(n)) duplicates++;
  else if (n < last.highest) disordered++;
  last.numbers.add(n);
  last.highest = Math.max(last.highest, n);
  received++;
  if (received - duplicates === count / 2) finish();
});
await reader.subscribeAsync('out/#', { qos: 1 });

const startedAt = performance.now();
let next = 0;
const publishNext = async () => {
  while (next < count) {
    const n = next++;
    await writer.publishAsync(`in/device-${n % devices}`, payloadOf(n), { qos: 1 });
  }
};
await Promise.all(Array.from({ length: IN_FLIGHT }, publishNext));
const publishedMs = performance.now() - startedAt;
await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, 60_000).unref())]);
process.send({ tookMs: performance.now() - startedAt, publishedMs, received, duplicates, disordered });
reader.end(true);
writer.end(true);
process.disconnect();

/** 300 bytes; every second one of a device is over the limit of the filter. */
function payloadOf(n) {
  const temp = Math.floor(n / devices) % 2 === 0 ? 21.5 : 19.5;
  const head = `{"n":${n},"temp":${temp},"unit":"celsius","site":"plant-7","pad":"`;
  return `${head}${'x'.repeat(300 - head.length - 2)}"}`;
}
