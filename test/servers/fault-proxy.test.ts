import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { faultProxyHome, isInstalled } from '../../localstack/servers/fault-proxy/install.mjs';
import { type FaultProxy, type Link, startFaultProxy, type Toxic } from '../../localstack/servers/fault-proxy/start.ts';

const PATIENCE = { timeout: 10_000, interval: 10 };

describe.skipIf(!isInstalled(faultProxyHome))('the fault proxy in front of an echo server', () => {
  let proxy: FaultProxy;
  let server: Server;
  let upstream: string;
  let serverReceived = '';
  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk) => {
        serverReceived += chunk;
      });
      socket.pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    upstream = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    proxy = await startFaultProxy({ home: faultProxyHome });
  });
  afterAll(async () => {
    await proxy?.close();
    server.close();
  });

  const withLink = async (use: (link: Link) => Promise<void>) => {
    const link = await proxy.link({ upstream });
    await use(link);
    await link.remove();
    await expect(exchange(link, 'a')).resolves.toBe('ECONNREFUSED');
  };

  it('forwards data unchanged without faults', () =>
    withLink(async (link) => {
      expect(link.address).toBe(`${link.host}:${link.port}`);
      expect(await exchange(link, 'hello')).toBe('hello');
    }));

  it('goes down and up at one address, and closes open connections', () =>
    withLink(async (link) => {
      const { socket, received } = open(link);
      socket.write('a');
      await vi.waitUntil(() => received() === 'a', PATIENCE);
      const closed = closing(socket);
      await link.down();
      await closed;
      expect(await exchange(link, 'b')).toBe('ECONNREFUSED');
      await link.up();
      expect(await exchange(link, 'c')).toBe('c');
    }));

  const cut: [string, Toxic, string][] = [
    ['a reset', { type: 'reset_peer', timeoutMs: 0 }, 'ECONNRESET'],
    ['a reset upstream', { type: 'reset_peer', timeoutMs: 0, direction: 'upstream' }, 'ECONNRESET'],
    ['a limit', { type: 'limit_data', bytes: 3 }, 'hel'],
    ['a timeout', { type: 'timeout', timeoutMs: 50 }, ''],
  ];
  it.each(cut)('%s cuts every connection until the link is cleared', (_, toxic, received) =>
    withLink(async (link) => {
      await link.add(toxic);
      expect(await exchange(link, 'hello')).toBe(received);
      expect(await exchange(link, 'hello')).toBe(received);
      await link.clear();
      expect(await exchange(link, 'hello')).toBe('hello');
    }),
  );

  it('limits the data to the server', () =>
    withLink(async (link) => {
      await link.add({ type: 'limit_data', bytes: 2, direction: 'upstream' });
      serverReceived = '';
      await exchange(link, 'hello');
      await vi.waitUntil(() => serverReceived !== '', PATIENCE);
      expect(serverReceived).toBe('he');
    }));

  const kept: [string, Toxic][] = [
    ['latency', { type: 'latency', latencyMs: 30, jitterMs: 20, direction: 'upstream' }],
    ['a bandwidth', { type: 'bandwidth', kilobytesPerSecond: 50 }],
    ['a slicer', { type: 'slicer', averageBytes: 64, variationBytes: 32, delayUs: 100 }],
    ['a slow close', { type: 'slow_close', delayMs: 50 }],
    ['a fault of toxicity 0', { type: 'limit_data', bytes: 1, toxicity: 0 }],
  ];
  it.each(kept)('%s keeps every byte', (_, toxic) =>
    withLink(async (link) => {
      const text = Array.from({ length: 1_000 }, (_, i) => `${i},`).join('');
      await link.add(toxic);
      expect(await exchange(link, text)).toBe(text);
    }),
  );

  it('delays the data of an open connection, and closes it when the link is cleared', () =>
    withLink(async (link) => {
      const { socket, received } = open(link);
      socket.write('a');
      await vi.waitUntil(() => received() === 'a', PATIENCE);
      await link.add({ type: 'latency', latencyMs: 600_000 });
      serverReceived = '';
      socket.write('b');
      await vi.waitUntil(() => serverReceived === 'b', PATIENCE);
      await withLink(async (other) => expect(await exchange(other, 'c')).toBe('c'));
      expect(received()).toBe('a');
      const closed = closing(socket);
      await link.clear();
      await closed;
      expect(received()).toBe('a');
      expect(await exchange(link, 'd')).toBe('d');
    }));

  it('stays down when it is cleared', () =>
    withLink(async (link) => {
      await link.add({ type: 'limit_data', bytes: 0 });
      await link.down();
      await link.clear();
      expect(await exchange(link, 'a')).toBe('ECONNREFUSED');
      await link.up();
      expect(await exchange(link, 'a')).toBe('a');
    }));

  // Removing a toxic through Toxiproxy's API blocks here: 5 s for each piece that the latency holds.
  it.each(['up', 'down'] as const)('is cleared while it holds data and is %s', (state) =>
    withLink(async (link) => {
      await link.add({ type: 'latency', latencyMs: 600_000 });
      const { socket } = open(link);
      for (let pieces = 1; pieces <= 8; pieces++) {
        serverReceived = '';
        socket.write('a');
        await vi.waitUntil(() => serverReceived === 'a', PATIENCE);
      }
      if (state === 'down') await link.down();
      await link.clear();
      await link.up();
      expect(await exchange(link, 'b')).toBe('b');
    }),
  );

  // Removing a toxic through Toxiproxy's API blocks here for ever.
  it('is cleared while its client does not read', () =>
    withLink(async (link) => {
      await link.add({ type: 'latency', latencyMs: 1 });
      const { socket } = open(link);
      await fill(socket);
      await link.clear();
      expect(await exchange(link, 'b')).toBe('b');
    }));

  it('keeps links independent', () =>
    withLink((broken) =>
      withLink(async (whole) => {
        await broken.add({ type: 'reset_peer', timeoutMs: 0 });
        expect(await exchange(whole, 'a')).toBe('a');
        await whole.down();
        await whole.up();
        expect(await exchange(broken, 'a')).toBe('ECONNRESET');
      }),
    ));

  it('names the call that Toxiproxy refuses', () =>
    withLink(async (link) => {
      await expect(link.add({ type: 'limit_data', bytes: 1, direction: 'sideways' as 'upstream' })).rejects.toThrow(
        /"stream":"sideways".*400.*stream was invalid/,
      );
      await link.add({ type: 'limit_data', bytes: 1 });
      await expect(link.add({ type: 'limit_data', bytes: 2 })).rejects.toThrow(/409.*toxic already exists/);
    }));

  it('adds a fault although a client does not read, and closes its connection', async (test) => {
    const impatient = await startFaultProxy({ home: faultProxyHome, callTimeoutMs: 2_000 });
    test.onTestFinished(() => impatient.close());
    const link = await impatient.link({ upstream });
    await link.add({ type: 'slow_close', delayMs: 1 });
    const { socket } = open(link);
    const closed = closing(socket);
    await fill(socket);
    const adding = link.add({ type: 'limit_data', bytes: 3 });
    // Toxiproxy accepts it, and then waits for the fault that it can't add.
    const { socket: another } = open(link);
    await once(another, 'connect');
    await adding;
    socket.resume();
    await closed;
    expect(await exchange(link, 'hello')).toBe('hel');
    const other = await impatient.link({ upstream });
    expect(await exchange(other, 'hello')).toBe('hello');
    await link.remove();
    expect(await exchange(link, 'hello')).toBe('ECONNREFUSED');
  });
});

describe.skipIf(!isInstalled(faultProxyHome))('the process of the fault proxy', () => {
  it('ends at close, which may be repeated', async () => {
    const proxy = await startFaultProxy({ home: faultProxyHome });
    expect(isRunning(proxy.pid)).toBe(true);
    await Promise.all([proxy.close(), proxy.close()]);
    await proxy.close();
    expect(isRunning(proxy.pid)).toBe(false);
    await expect(proxy.link({ upstream: '127.0.0.1:1' })).rejects.toThrow('no answer');
  });

  it('names the call without an answer, the number of attempts, and what to do', async () => {
    const proxy = await startFaultProxy({ home: faultProxyHome, callTimeoutMs: 50 });
    process.kill(proxy.pid, 'SIGSTOP');
    await expect(proxy.link({ upstream: '127.0.0.1:1' })).rejects.toThrow(
      /no answer to POST \/populate .*"upstream":"127.0.0.1:1".* \(3 attempts, each within 0.05 s\)\. Close this fault proxy and start another\. Its log: empty/,
    );
    await proxy.close();
    expect(isRunning(proxy.pid)).toBe(false);
  });

  it('reports a crash, to later calls too', async () => {
    const onCrash = vi.fn();
    const proxy = await startFaultProxy({ home: faultProxyHome, onCrash });
    process.kill(proxy.pid, 'SIGKILL');
    await vi.waitUntil(() => onCrash.mock.calls.length > 0, PATIENCE);
    expect(onCrash.mock.calls).toEqual([[expect.objectContaining({ message: expect.stringContaining('SIGKILL') })]]);
    await expect(proxy.link({ upstream: '127.0.0.1:1' })).rejects.toMatchObject({ cause: onCrash.mock.calls[0]![0] });
    await proxy.close();
  });

  it('ends with the process that has started it', async () => {
    const program = `
      import { startFaultProxy } from './localstack/servers/fault-proxy/start.ts';
      const { pid } = await startFaultProxy({ home: process.argv[1] });
      process.stdout.write(String(pid));
    `;
    const starter = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', program, faultProxyHome],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const ended = once(starter, 'exit').then(([code]) => {
      throw new Error(`the starter ended: exit ${code}`);
    });
    const [pid] = await Promise.race([once(starter.stdout, 'data'), ended]);
    expect(isRunning(Number(pid))).toBe(true);
    starter.kill('SIGKILL');
    await vi.waitUntil(() => !isRunning(Number(pid)), PATIENCE);
  });

  it('names the command that installs it', async () => {
    await expect(startFaultProxy({ home: '/nowhere' })).rejects.toThrow('`npm run setup -- fault-proxy`');
  });
});

function open({ host, port }: Link): { socket: Socket; received: () => string } {
  const socket = connect(port, host);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {}); // The tests look at the outcome.
  return { socket, received: () => text };
}

/** Resolves when a connection has closed, by an error too. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

/** Sends without reading, until every buffer between here and the server is full. */
async function fill(socket: Socket): Promise<void> {
  await once(socket, 'connect');
  socket.pause();
  const piece = Buffer.alloc(65_536);
  let sent = -1;
  await vi.waitUntil(
    () => {
      while (!socket.writableNeedDrain) socket.write(piece);
      const sentBefore = sent;
      sent = socket.bytesWritten - socket.writableLength;
      return sent === sentBefore;
    },
    { timeout: 30_000, interval: 300 },
  );
}

/** Sends a text and waits for its echo or the end of the connection. Returns the echo, or the error code of a failed connection. */
async function exchange(link: Link, text: string): Promise<string> {
  const { socket, received } = open(link);
  const failed = new Promise<string>((resolve) => {
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code!));
  });
  const closed = once(socket, 'close').then(received, () => failed);
  socket.on('data', () => {
    if (received().length >= text.length) socket.end();
  });
  socket.write(text);
  return closed;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
