import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

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
