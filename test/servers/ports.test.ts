import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { freePorts } from '../../localstack/servers/ports.ts';

afterEach(() => vi.restoreAllMocks());

/** Chooses the first of 1,250 places, then the next ones. */
const inOrder = () => {
  let place = 0;
  vi.spyOn(Math, 'random').mockImplementation(() => (place++ + 0.5) / 1_250);
};

it('gives no port twice, though nothing listens on it yet', async () => {
  inOrder();
  const first = await freePorts(6);
  inOrder();
  expect(await freePorts(6)).toBeGreaterThanOrEqual(first + 6);
});

it('passes over ports that something else uses', async () => {
  inOrder();
  const first = await freePorts(1);
  const next = createServer().listen(first + 8 + 3, '127.0.0.1');
  await once(next, 'listening');
  inOrder();
  expect(await freePorts(4)).toBeGreaterThan(first + 8 + 3);
  next.close();
});
