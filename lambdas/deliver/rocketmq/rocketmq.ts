import type { SinkDefinition } from '../sink.ts';
import { ROCKETMQ_ROUTED, rocketMqOptions } from './config.ts';
import type { RocketMqRequest } from './message.ts';
import { readArrived } from './read.ts';
import { compileRocketMq } from './render.ts';
import { openRocketMq } from './sink.ts';

export const rocketmq: SinkDefinition<typeof rocketMqOptions, RocketMqRequest> = {
  type: 'rocketmq',
  options: rocketMqOptions,
  routed: ROCKETMQ_ROUTED,
  compile: compileRocketMq,
  open: openRocketMq,
  read: readArrived,
  target: ({ topic }) => topic,
  show: ({ topic, message: { body, group, ...message } }) => ({
    topic,
    ...message,
    messageGroup: group,
    payload: body,
  }),
};
