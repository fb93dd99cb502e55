import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ARTEMIS_VERSION } from '../../localstack/servers/mqtt-brokers/artemis/install.mjs';
import { HIVEMQ_VERSION } from '../../localstack/servers/mqtt-brokers/hivemq/install.mjs';
import { MOSQUITTO_VERSION } from '../../localstack/servers/mqtt-brokers/mosquitto/install.mjs';

it('RocketMQ in Docker has the broker settings of EMQX’s document', () => {
  const compose = readFileSync('localstack/servers/rocketmq/docker/compose.yaml', 'utf8');
  const [, file] = /&broker-file \|\n((?: {2}\S.*\n)+)/.exec(compose)!;
  expect(
    Object.fromEntries(
      file!
        .trim()
        .split(/\s+/)
        .map((line) => line.split('=')),
    ),
  ).toEqual({
    brokerClusterName: 'DefaultCluster',
    brokerName: 'broker-a',
    brokerId: '0',
    brokerIP1: '${OUTFLOW_ROCKETMQ_HOST:-127.0.0.1}',
    defaultTopicQueueNums: '4',
    autoCreateTopicEnable: 'true',
    autoCreateSubscriptionGroup: 'true',
    listenPort: '10911',
    deleteWhen: '04',
    fileReservedTime: '120',
    mappedFileSizeCommitLog: '1073741824',
    mappedFileSizeConsumeQueue: '300000',
    diskMaxUsedSpaceRatio: '100',
    maxMessageSize: '65536',
    brokerRole: 'ASYNC_MASTER',
    flushDiskType: 'ASYNC_FLUSH',
  });
});

describe('the MQTT brokers in Docker', () => {
  const compose = readFileSync('localstack/servers/mqtt-brokers/docker/compose.yaml', 'utf8');

  it('are the versions that the suites run', () => {
    const versions = { mosquitto: MOSQUITTO_VERSION, 'hivemq-ce': HIVEMQ_VERSION, 'activemq-artemis': ARTEMIS_VERSION };
    for (const [image, version] of Object.entries(versions)) expect(compose).toMatch(`${image}:${version}\n`);
  });

  it('lose no message that they have acknowledged', () => {
    const settings = [
      'max_queued_messages 0',
      'set_tcp_nodelay true',
      '<max-queue-size>1000000</max-queue-size>',
      '<max-delivery-attempts>-1</max-delivery-attempts>',
    ];
    for (const setting of settings) expect(compose).toContain(setting);
  });
});
