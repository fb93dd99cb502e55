import { createHandler, fromEnv } from '../../worker/handler.ts';
import { kinesis } from './kinesis.ts';

export const handler = createHandler(kinesis, await fromEnv(import.meta.url));
