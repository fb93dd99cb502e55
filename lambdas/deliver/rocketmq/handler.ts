import { createHandler, fromEnv } from '../../worker/handler.ts';
import { rocketmq } from './rocketmq.ts';

export const handler = createHandler(rocketmq, await fromEnv(import.meta.url));
