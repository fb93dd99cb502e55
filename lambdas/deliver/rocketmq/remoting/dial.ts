import { createConnection, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseAddress } from './address.ts';
import { isHungUp, NoAnswerError } from './errors.ts';

/** TLS from the first byte. A certificate that cannot be verified is always refused. */
export interface TlsOptions {
  /** Certificate authorities in PEM, in place of those that Node trusts. @default - those that Node trusts */
  readonly ca?: string | Buffer;
  /** The name that the server's certificate must carry. @default - the host of the address */
  readonly servername?: string;
}

/** Opens a socket, handshake included. @throws NoAnswerError, its cause being the socket's own error. */
export function dial(address: string, tls: TlsOptions | false, timeoutMs: number): Promise<Socket> {
  const target = parseAddress(address);
  const unreachable = (message: string, options?: ErrorOptions) =>
    new NoAnswerError({ reason: 'unreachable', address, hasLeft: false }, `connect to ${address}: ${message}`, options);
  if (target === undefined) return Promise.reject(unreachable('no address; expected host:port'));
  return new Promise((resolve, reject) => {
    const socket = tls === false ? createConnection(target) : connectTls({ ...target, ...tlsTo(target.host, tls) });
    // For good: a socket may fail between this promise and whoever waits for it, and after it was given up.
    socket.on('error', () => {});
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(unreachable(`no connection within ${Math.ceil(timeoutMs)} ms`)), timeoutMs);
    const onError = (cause: Error) =>
      fail(unreachable(isHungUp(cause) ? 'it hung up amid the handshake; expected TLS' : cause.message, { cause }));
    const onClose = () => fail(unreachable('closed before the connection was ready'));
    socket.once('error', onError).once('close', onClose);
    socket.once(tls === false ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', onError).off('close', onClose).setNoDelay(true);
      resolve(socket);
    });
  });
}

function tlsTo(host: string, { ca, servername }: TlsOptions) {
  // Names alone may be indicated (RFC 6066); an address is checked against the certificate all the same.
  const name = servername ?? (isIP(host) === 0 ? host : undefined);
  return { rejectUnauthorized: true, ...(ca !== undefined && { ca }), ...(name !== undefined && { servername: name }) };
}
