// The set-up part `mqtt-brokers`: MQTT brokers that run without Docker.
import { cacheFolder } from '../../cache.mjs';
import * as artemis from './artemis/install.mjs';
import * as hiveMq from './hivemq/install.mjs';
import * as mosquitto from './mosquitto/install.mjs';

/** The brokers, once `npm run setup -- mqtt-brokers` has installed them. */
export const mqttBrokersHome = cacheFolder('mqtt-brokers');

const brokers = [mosquitto, hiveMq, artemis];

/** Whether `home` holds all brokers in the versions of this project. */
export function isInstalled(home) {
  return brokers.every((broker) => broker.isInstalled(home));
}

/** Installs the brokers that are missing. @throws Error if a tool that one of them needs is missing */
export function install(home) {
  for (const broker of brokers) if (!broker.isInstalled(home)) broker.install(home);
}
