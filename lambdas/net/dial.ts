import { createConnection, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseAddress } from './address.ts';
import { isHungUp, type TlsOptions } from './tls.ts';

/** No connection could be opened. Its cause is the socket's error, if there was one. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  /** `host:port` */
  readonly address: string;
  constructor(address: string, reason: string, options?: ErrorOptions) {
    super(`connect to ${address}: ${reason}`, options);
    this.address = address;
  }
}

/** Opens a socket, TLS handshake included. @throws UnreachableError */
export function dial(address: string, tls: TlsOptions | false, timeoutMs: number): Promise<Socket> {
  const target = parseAddress(address);
  if (target === undefined) return Promise.reject(new UnreachableError(address, 'not an address; expected host:port'));
  return new Promise((resolve, reject) => {
    const socket = open();
    if (socket === undefined) return;
    // This listener is never removed: a socket may fail before the caller listens to it, and after the caller has dropped it.
    socket.on('error', () => {});
    const fail = (reason: string, options?: ErrorOptions) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new UnreachableError(address, reason, options));
    };
    const timer = setTimeout(() => fail(`no connection within ${Math.ceil(timeoutMs)} ms`), timeoutMs);
    const onError = (cause: Error) =>
      fail(isHungUp(cause) ? 'the server hung up during the handshake; expected TLS' : cause.message, { cause });
    const onClose = () => fail('closed before the connection was ready');
    socket.once('error', onError).once('close', onClose);
    socket.once(tls === false ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', onError).off('close', onClose).setNoDelay(true);
      resolve(socket);
    });

    function open(): Socket | undefined {
      try {
        return tls === false ? createConnection(target!) : connectTls({ ...target!, ...tlsTo(target!.host, tls) });
      } catch (cause) {
        // A certificate or key that is not valid PEM.
        reject(new UnreachableError(address, (cause as Error).message, { cause }));
        return undefined;
      }
    }
  });
}

function tlsTo(host: string, { ca, servername, ...identity }: TlsOptions) {
  // Server Name Indication carries host names only (RFC 6066). An IP address is still checked against the certificate.
  const name = servername ?? (isIP(host) === 0 ? host : undefined);
  return {
    rejectUnauthorized: true,
    ...identity,
    ...(ca !== undefined && { ca }),
    ...(name !== undefined && { servername: name }),
  };
}
