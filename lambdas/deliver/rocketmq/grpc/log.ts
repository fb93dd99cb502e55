import { debuglog, format } from 'node:util';
import type { ILogger } from 'rocketmq-client-nodejs';

const MAX_CHARACTERS = 500;
const write = debuglog('outflow-rocketmq');

/**
 * What the client has to say, in place of files in the home folder: nothing, unless the environment has
 * `NODE_DEBUG=outflow-rocketmq`. Every line is cut, and of an error only its message is there.
 */
export const log: ILogger = { debug: say, info: say, warn: say, error: say };

function say(...parts: unknown[]): void {
  if (write.enabled) write('%s', logLine(parts));
}

export function logLine(parts: readonly unknown[]): string {
  const line = format(...parts.map((part) => (part instanceof Error ? part.message : part))).replace(/\s+/g, ' ');
  return line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS)}…` : line;
}
