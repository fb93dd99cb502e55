import { expiring } from '../../core/mqtt/properties.ts';
import type { SinkDefinition } from '../sink.ts';
import { REPUBLISH_ROUTED, republishOptions } from './config.ts';
import { compileRepublish, type RepublishRequest } from './render.ts';
import { openRepublish } from './sink.ts';

export const republish: SinkDefinition<typeof republishOptions, RepublishRequest> = {
  type: 'republish',
  options: republishOptions,
  routed: REPUBLISH_ROUTED,
  compile: compileRepublish,
  open: openRepublish,
  target: ({ topic }) => topic,
  expiring,
  show: ({ topic, qos, retain, payload, properties: { userProperties, ...properties } }) => ({
    topic,
    qos,
    retain,
    ...properties,
    userProperties: userProperties.map((pair) => Object.fromEntries([pair])),
    payload,
  }),
};
