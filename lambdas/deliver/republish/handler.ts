import { createHandler, fromEnv } from '../../worker/handler.ts';
import { republish } from './republish.ts';

export const handler = createHandler(republish, await fromEnv(import.meta.url));
