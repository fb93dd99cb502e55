import { parseArgs } from 'node:util';
import { mqttBrokersHome as home } from '../../localstack/servers/mqtt-brokers/install.mjs';
import { startHiveMq, startMosquitto } from '../../localstack/servers/mqtt-brokers/start.ts';
import { changeConfiguration, handOver, killSource } from './mqtt-source.ts';

/**
 * `node --import tsx test/soak/mqtt-source-main.ts --broker mosquitto kills | hand-overs | changes`: what an MQTT source loses and
 * stores twice when its process is killed 100 times or handed over 20 times, and how fast a changed configuration receives.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    broker: { type: 'string', default: 'mosquitto' },
    kills: { type: 'string', default: '100' },
    messages: { type: 'string', default: '20000' },
    rate: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
});
const start = { mosquitto: startMosquitto, hivemq: startHiveMq }[values.broker];
if (start === undefined) throw new Error(`--broker: got '${values.broker}'; expected mosquitto or hivemq`);
const broker = await start({ home, receiveMaximum: 10_000 });
const perSecond = Number(values.rate);
try {
  for (const what of positionals) {
    if (what === 'kills')
      console.log(
        what,
        await killSource(broker, {
          kills: Number(values.kills),
          messages: Number(values.messages),
          perSecond,
          seed: Number(values.seed),
        }),
      );
    else if (what === 'hand-overs')
      console.log(what, await handOver(broker, { handOvers: 20, perSecond, latencyMs: 1_000 }));
    else if (what === 'changes') console.log(what, await changeConfiguration(broker, { sources: 4, sessions: 4 }));
    else throw new Error(`got '${what}'; expected kills, hand-overs or changes`);
  }
} finally {
  await broker.close();
}
process.exit();
