import { join } from 'node:path';

/** The folder in `.cache/` where `npm run setup -- <part>` installs a part. */
export function cacheFolder(part) {
  return join(import.meta.dirname, '../.cache', part);
}
