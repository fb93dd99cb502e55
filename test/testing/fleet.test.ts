import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { tryTask } from '../../lambdas/testing/index.ts';

const folder = new URL('../cases/fleet/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder));

/** Publishers of the payloads, and their topics. */
const messages = {
  'ha-discovery': 'homeassistant/sensor/boiler_7a/flow/config',
  'ha-removed': 'homeassistant/sensor/boiler_7a/flow/config',
  modbus: 'gw/gw-3/data',
  owntracks: 'owntracks/ann/phone',
  shelly: 'shellyplus1pm-000000000001/events/rpc',
  'sparkplug-ndata': 'spBv1.0/PlantA/NDATA/edge7',
  'sparkplug-ndeath': 'spBv1.0/PlantA/NDEATH/edge7',
  tasmota: 'tele/greenhouse/SENSOR',
  'tasmota-nan': 'tele/greenhouse/SENSOR',
  teltonika: '352093081452251/data',
  ttn: 'v3/meters@ttn/devices/eui-0000000000000001/up',
  victron: 'N/c0619ab1/grid/30/Ac/L1/P',
  'victron-null': 'N/c0619ab1/battery/512/Soc',
  zigbee2mqtt: 'zigbee2mqtt/door',
  'zigbee2mqtt-online': 'zigbee2mqtt/bridge/state',
};

it.each(Object.entries(messages))('%s: a payload as fleets send it ends as its task states', async (name, topic) => {
  const spec = JSON.parse(read(`${name}.spec.json`).toString());
  const { outcome, requests, error } = await tryTask(spec, {
    topic,
    clientid: 'd1',
    payload: read(`${name}.payload`),
    timestamp: 1_795_251_600_000,
    id: 'id-1',
  });
  const seen = { outcome, ...(requests && { requests }), ...(error && { error }) };
  await expect(`${JSON.stringify(seen, null, 2)}\n`).toMatchFileSnapshot(`../cases/fleet/${name}.result.json`);
});
