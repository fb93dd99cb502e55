import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, Stack } from 'aws-cdk-lib';
import { MqttConnector, MqttSink, MqttSource, OutflowTask } from '../lib/index.ts';
import { mqttBrokersHome as home } from '../localstack/servers/mqtt-brokers/install.mjs';
import { startMosquitto } from '../localstack/servers/mqtt-brokers/start.ts';
import { median, table } from './table.ts';

/** A bridge of one broker's topics, beside one that is written by hand: `npm run build && node --import tsx bench/mqtt.ts`. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
const COUNT = Number(process.env['COUNT'] ?? 100_000);
const DEVICES = 50;

interface Result {
  readonly tookMs: number;
  readonly publishedMs: number;
  readonly received: number;
  readonly duplicates: number;
  readonly disordered: number;
  readonly cpuMs: number;
}

const results = { bridge: [] as Result[], outflow: [] as Result[] };
for (let round = 0; round < ROUNDS; round++) {
  // Another one begins each time.
  const order = ['bridge', 'outflow'] as const;
  for (const name of round % 2 === 0 ? order : order.toReversed()) results[name].push(await measure(name));
}
print();

/** Bridges the traffic by a fresh broker. */
async function measure(name: 'bridge' | 'outflow'): Promise<Result> {
  const broker = await startMosquitto({ home, persistence: false });
  const server = `mqtt://${broker.host}:${broker.port}`;
  const assembly = mkdtempSync(join(tmpdir(), 'outflow-'));
  try {
    const bridge =
      name === 'bridge'
        ? child('bench/mqtt/bridge.mjs', server)
        : child('bench/mqtt/outflow.mjs', synthesized(server, assembly));
    await once(bridge, 'message');
    const traffic = child('bench/mqtt/traffic.mjs', server, String(COUNT), String(DEVICES));
    const [counted] = await once(traffic, 'message');
    bridge.send('end');
    const [used] = await once(bridge, 'message');
    await once(bridge, 'exit');
    return { ...counted, ...used };
  } finally {
    await broker.close();
    rmSync(assembly, { recursive: true });
  }
}

function child(file: string, ...args: string[]): ChildProcess {
  const env = { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' };
  return fork(file, args, { env, execArgv: [] });
}

function synthesized(server: string, outdir: string): string {
  const app = new App({ outdir });
  const stack = new Stack(app, 'Bench');
  const broker = new MqttConnector(stack, 'Broker', { server });
  new OutflowTask(stack, 'Bridge', {
    source: new MqttSource(broker, { topics: ['in/#'] }),
    batchPush: { messages: 500, interval: Duration.seconds(1) },
    filter: { data: { body: { temp: [{ numeric: ['>', 20] }] } } },
    sink: new MqttSink(broker, { topic: 'out/${topic}', payload: '${payload}' }),
  });
  return app.synth().directory;
}

function print(): void {
  const rate = ({ tookMs }: Result) => (COUNT * 1_000) / tookMs;
  const ofRounds = (of: (ours: Result, peer: Result) => number) =>
    median(results.outflow.map((ours, round) => of(ours, results.bridge[round]!)));
  const row = (name: 'bridge' | 'outflow', label: string) => {
    const all = results[name];
    return [
      label,
      Math.round(median(all.map(rate))).toLocaleString('en'),
      Math.round(median(all.map(({ cpuMs }) => cpuMs))).toLocaleString('en'),
      all.map(({ received, duplicates }) => COUNT / 2 - (received - duplicates)).join(' '),
      all.map(({ duplicates }) => duplicates).join(' '),
      all.map(({ disordered }) => disordered).join(' '),
    ];
  };
  console.log(
    table(
      ['bridge', 'messages/s', 'CPU, ms', 'missing', 'duplicates', 'out of order'],
      [row('bridge', 'by hand, MQTT.js'), row('outflow', 'outflow local')],
    ),
  );
  console.log(
    `\nmedian of ${ROUNDS} rounds: rate ${ofRounds((ours, peer) => rate(ours) / rate(peer)).toFixed(2)}, CPU ${ofRounds(
      (ours, peer) => ours.cpuMs / peer.cpuMs,
    ).toFixed(2)}`,
  );
}
