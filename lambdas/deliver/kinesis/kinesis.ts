import type { SinkDefinition } from '../sink.ts';
import { KINESIS_ROUTED, kinesisOptions } from './config.ts';
import { compileKinesis, type KinesisRequest } from './render.ts';
import { openKinesis } from './sink.ts';

export const kinesis: SinkDefinition<typeof kinesisOptions, KinesisRequest> = {
  type: 'kinesis',
  options: kinesisOptions,
  routed: KINESIS_ROUTED,
  compile: compileKinesis,
  open: openKinesis,
  target: ({ stream }) => stream,
  show: ({ stream, partitionKey, explicitHashKey, data }) => ({ stream, partitionKey, explicitHashKey, data }),
};
