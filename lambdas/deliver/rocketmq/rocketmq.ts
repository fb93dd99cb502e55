import type { SinkDefinition } from '../sink.ts';
import { rocketMqOptions } from './config.ts';
import { compileRocketMq, type RocketMqRequest } from './render.ts';
import { openRocketMq } from './sink.ts';

export const rocketmq: SinkDefinition<typeof rocketMqOptions, RocketMqRequest> = {
  type: 'rocketmq',
  options: rocketMqOptions,
  compile: compileRocketMq,
  open: openRocketMq,
  target: ({ topic }, env, request) => (env['TARGET_ARN'] ?? '').replace(/\*$/, () => request?.topic ?? topic),
  show: ({ topic, message: { body, group, ...message } }) => ({
    topic,
    ...message,
    messageGroup: group,
    payload: body,
  }),
};
