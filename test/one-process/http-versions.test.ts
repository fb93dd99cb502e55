import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type BothVersions, serveBothVersions } from '../../localstack/one-process/http-versions.ts';

let front: BothVersions;
let port: number;
let requests: (string | undefined)[];

beforeEach(async () => {
  requests = [];
  const http1 = createServer((request, response) => {
    requests.push(request.httpVersion);
    request
      .on('error', () => {})
      .on('end', () => {
        // kinesalite sets this header when it refuses a large request.
        response.setHeader('Transfer-Encoding', 'chunked').setHeader('X-Path', request.url ?? '');
        response.statusCode = 413;
        response.end('too large');
      });
    request.resume();
  });
  front = serveBothVersions(http1);
  front.server.listen(0, '127.0.0.1');
  await once(front.server, 'listening');
  port = (front.server.address() as AddressInfo).port;
  onTestFinished(front.close);
});

const url = (path = '') => `http://127.0.0.1:${port}${path}`;

async function http2Request(path: string) {
  const session = connectHttp2(url());
  const stream = session.request({ ':method': 'POST', ':path': path });
  stream.end('body');
  const [headers] = await once(stream, 'response');
  const text = (await stream.setEncoding('utf8').toArray()).join('');
  session.close();
  return { status: headers[':status'], path: headers['x-path'], text };
}

describe('one port', () => {
  it('answers HTTP/1.1 and HTTP/2 alike', async () => {
    const response = await fetch(url('/one'), { method: 'POST', body: 'body' });
    expect([response.status, response.headers.get('x-path'), await response.text()]).toEqual([
      413,
      '/one',
      'too large',
    ]);
    expect(await http2Request('/two')).toEqual({ status: 413, path: '/two', text: 'too large' });
    expect(requests).toEqual(['1.1', '2.0']);
  });

  it('survives clients that send nonsense or disconnect during a request', async () => {
    const session = connectHttp2(url());
    for (const end of ['cancel', 'disconnect']) {
      const stream = session.request({ ':method': 'POST' });
      await new Promise<void>((resolve) => stream.write('part', () => resolve()));
      if (end === 'cancel') stream.close(constants.NGHTTP2_CANCEL);
      else session.destroy();
      await once(stream, 'close');
    }
    for (const bytes of ['PRI * x\r\n\r\n', 'P', 'POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx', '\u0000\u0001']) {
      const socket = connect(port, '127.0.0.1');
      await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
      socket.destroy();
    }
    expect(await http2Request('/')).toMatchObject({ status: 413 });
    expect((await fetch(url())).status).toBe(413);
  });

  it('closes with connections open', async () => {
    const session = connectHttp2(url());
    session.on('error', () => {});
    await once(session, 'connect');
    await Promise.all([once(session, 'close'), front.close()]);
  });
});
