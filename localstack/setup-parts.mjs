import { cacheFolder, localStackHome } from './cache.mjs';
import * as localStack from './docker-free/install.mjs';
import * as node24 from './docker-free/node24.mjs';
import * as faultProxy from './servers/fault-proxy/install.mjs';
import * as mqttBrokers from './servers/mqtt-brokers/install.mjs';
import * as rocketMq from './servers/rocketmq/install.mjs';

/** What some suites need besides Node and npm packages. `npm run setup -- <name>` installs a part. */
export const parts = [
  {
    name: 'node24',
    what: 'the deployed bundles under Node 24, Lambda’s runtime',
    isReady: () => node24.isInstalled(cacheFolder('node24')),
    install: () => node24.install(cacheFolder('node24')),
  },
  {
    name: 'localstack',
    what: 'deployed stacks on LocalStack, without Docker',
    isReady: () => localStack.isInstalled(localStackHome),
    install: () => localStack.install(localStackHome),
  },
  {
    name: 'fault-proxy',
    what: 'faults on real connections, by Toxiproxy',
    isReady: () => faultProxy.isInstalled(faultProxy.faultProxyHome),
    install: () => faultProxy.install(faultProxy.faultProxyHome),
  },
  {
    name: 'rocketmq',
    what: 'RocketMQ 5 and 4, without Docker (JDK 17, Maven)',
    isReady: () => rocketMq.isInstalled(rocketMq.rocketMqHome),
    install: () => rocketMq.install(rocketMq.rocketMqHome),
  },
  {
    name: 'mqtt-brokers',
    what: 'the MQTT brokers mosquitto, HiveMQ CE and Artemis, without Docker (Debian 12, JDK 17, Maven)',
    isReady: () => mqttBrokers.isInstalled(mqttBrokers.mqttBrokersHome),
    install: () => mqttBrokers.install(mqttBrokers.mqttBrokersHome),
  },
];
