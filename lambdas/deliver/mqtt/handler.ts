import { createHandler, fromEnv } from '../../worker/handler.ts';
import { mqtt } from './mqtt.ts';

export const handler = createHandler(mqtt, await fromEnv(import.meta.url));
