import type { SinkDefinition } from '../sink.ts';
import { kinesisOptions } from './config.ts';
import { compileKinesis, type KinesisRequest } from './render.ts';
import { openKinesis } from './sink.ts';

export const kinesis: SinkDefinition<typeof kinesisOptions, KinesisRequest> = {
  type: 'kinesis',
  options: kinesisOptions,
  compile: compileKinesis,
  open: openKinesis,
  target: ({ stream }, env, request) => (env['TARGET_ARN'] ?? '').replace(/\*$/, () => request?.stream ?? stream),
  show: ({ stream, partitionKey, explicitHashKey, data }) => ({ stream, partitionKey, explicitHashKey, data }),
};
