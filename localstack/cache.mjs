import { join } from 'node:path';
import { executable } from './docker-free/node24.mjs';

/** The folder in `.cache/` where `npm run setup -- <part>` installs a part. */
export function cacheFolder(part) {
  return join(import.meta.dirname, '../.cache', part);
}

/** LocalStack, once `npm run setup -- localstack` has installed it. */
export const localStackHome = cacheFolder('localstack');

/** Path of Node.js 24, once `npm run setup -- node24` has installed it. */
export const node24 = executable(cacheFolder('node24'));
