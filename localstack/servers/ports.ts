import { once } from 'node:events';
import { createServer } from 'node:net';

// Below the range from which systems choose ports for outgoing connections and for port 0: nothing takes such a port while
// its server is down.
const LOWEST = 20_000;
const HIGHEST = 30_000;
const ATTEMPTS = 100;

/**
 * Finds free ports in a row.
 *
 * @returns the lowest of them
 * @throws Error if 100 random places are all taken
 */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
  }
  throw new Error(
    `no ${count} free ports in a row between ${LOWEST} and ${HIGHEST} at ${ATTEMPTS} random places. Stop servers that you no longer need`,
  );
}

async function isFree(port: number): Promise<boolean> {
  // Most of these servers listen on every interface.
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
