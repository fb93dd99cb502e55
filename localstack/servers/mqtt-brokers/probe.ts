import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { generate, parser } from 'mqtt-packet';

const TIMEOUT_MS = 3_000;

/**
 * Connects with MQTT 3.1.1 and disconnects.
 *
 * @returns the return code of CONNACK, 0 for an accepted connection; `undefined` if there is none within 3 s
 */
export async function probe(
  port: number,
  user?: readonly [name: string, password: string],
): Promise<number | undefined> {
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  const closed = once(socket, 'close').catch(() => {});
  const parse = parser({ protocolVersion: 4 });
  let code: number | undefined;
  parse.on('packet', (packet) => {
    if (packet.cmd === 'connack') code = packet.returnCode;
    socket.end(generate({ cmd: 'disconnect' }));
  });
  socket.on('data', (bytes) => parse.parse(bytes));
  socket.write(
    generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: `probe-${randomBytes(6).toString('hex')}`,
      keepalive: 30,
      ...(user && { username: user[0], password: Buffer.from(user[1]) }),
    }),
  );
  await closed;
  return code;
}

/** Whether a server accepts TCP connections on a port. */
export async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
