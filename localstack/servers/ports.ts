import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

// Below the range from which systems choose ports for outgoing connections and for port 0: nothing takes such a port while
// its server is down.
const LOWEST = 20_000;
const HIGHEST = 30_000;
const BLOCK = 8;
const ATTEMPTS = 100;

/**
 * Finds free ports in a row and keeps them for this process until it ends: no other process that asks gets one of them, also
 * while their server restarts.
 *
 * @param count 1 to 7
 * @returns the lowest of them
 * @throws Error if 100 random places are all taken
 */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const first = LOWEST + BLOCK * Math.floor(Math.random() * ((HIGHEST - LOWEST) / BLOCK));
    // The last port of a block belongs to the process that uses the block.
    const claim = await listen(first + BLOCK - 1);
    if (!claim) continue;
    claim.unref();
    const ports = Array.from({ length: count }, (_, index) => first + index);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return first;
    await close(claim);
  }
  throw new Error(
    `no ${count} free ports in a row between ${LOWEST} and ${HIGHEST} at ${ATTEMPTS} random places. Stop servers that you no longer need`,
  );
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server) await close(server);
  return server !== undefined;
}

/** @returns undefined when the port is taken */
async function listen(port: number): Promise<Server | undefined> {
  // Most of these servers listen on every interface.
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return server;
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
