import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** The port itself when it is free, or any free one for 0. @throws when another process has it. */
export async function freePort(port: number): Promise<number> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new Error(`port ${port} is taken; expected a free one`, { cause });
  }
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}
