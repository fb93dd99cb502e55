import type { Server as HttpServer } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerResponse } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';

/** A server for HTTP/1.1 and HTTP/2 on one port, both without TLS. */
export interface BothVersions {
  /** The caller makes it listen. */
  readonly server: Server;
  /** Closes all connections and stops listening. */
  close(): Promise<void>;
}

/** The first bytes of an HTTP/2 connection with prior knowledge (RFC 9113, section 3.4). No HTTP/1.1 method starts with them. */
const HTTP2_PREFACE_START = 'PRI';

/**
 * Makes an HTTP/1.1 server available to HTTP/2 clients. The Kinesis client of the AWS SDK speaks HTTP/2 with prior knowledge
 * unless it has another request handler.
 *
 * @param http1 The server that handles the requests. It does not listen itself.
 */
export function serveBothVersions(http1: HttpServer): BothVersions {
  const http2 = createHttp2Server((request, response) => {
    http1.emit('request', request, withoutTransferEncoding(response));
  });
  // An error of one session must not affect other clients.
  http2.on('sessionError', () => {});
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    socket.once('data', (firstBytes) => {
      socket.pause();
      socket.unshift(firstBytes);
      const isHttp2 = firstBytes.toString('latin1').startsWith(HTTP2_PREFACE_START);
      (isHttp2 ? http2 : http1).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
  });
  return {
    server,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** HTTP/2 has no Transfer-Encoding (RFC 9113, section 8.2.2), and Node throws when a handler sets it. */
function withoutTransferEncoding(response: Http2ServerResponse): Http2ServerResponse {
  const setHeader = response.setHeader.bind(response);
  response.setHeader = (name, value) => {
    if (name.toLowerCase() !== 'transfer-encoding') setHeader(name, value);
    return response;
  };
  return response;
}
