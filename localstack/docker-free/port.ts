import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** Checks that a port is free, or finds a free one for 0. @throws when another process uses it. */
export async function freePort(port: number): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new Error(`port: got ${port}, which another process uses; expected a free port`, { cause });
  }
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}
