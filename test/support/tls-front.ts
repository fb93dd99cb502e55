import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { parseAddress } from '../../lambdas/net/address.ts';

/** The certificate that a server presents, and its key, both in PEM. */
export interface Face {
  readonly certificate: string;
  readonly key: string;
}

/** A TLS proxy before a TLS server, which presents a certificate of its own. */
export interface TlsFront {
  /** `host:port` */
  readonly address: string;
  /** Sets the certificate for new connections, and closes the open ones. */
  show(face: Face): void;
  close(): Promise<void>;
}

/** @param ca The authority that has signed the certificate of the server behind the proxy. */
export async function startTlsFront(upstream: string, { ca, face }: { ca: string; face: Face }): Promise<TlsFront> {
  const sockets = new Set<Socket>();
  let shown = face;
  const server = createServer((raw) => {
    keep(raw);
    const { certificate: cert, key } = shown;
    const client = new TLSSocket(raw, { isServer: true, secureContext: createSecureContext({ cert, key }) });
    const server = connectTls({ ...parseAddress(upstream)!, ca });
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) {
      keep(socket);
      socket.on('close', () => {
        client.destroy();
        server.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  function keep(socket: Socket): void {
    sockets.add(socket);
    // A client that refuses the certificate ends the connection with an error.
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  }

  function hangUp(): void {
    for (const socket of sockets) socket.destroy();
  }

  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    show(face) {
      shown = face;
      hangUp();
    },
    async close() {
      server.close();
      hangUp();
      await once(server, 'close');
    },
  };
}
