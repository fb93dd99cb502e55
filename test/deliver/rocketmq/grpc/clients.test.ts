import type { ServiceError } from '@grpc/grpc-js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Client } from '../../../../lambdas/deliver/rocketmq/grpc/client.ts';
import { openClients } from '../../../../lambdas/deliver/rocketmq/grpc/clients.ts';
import { NoAnswerError, RefusedError } from '../../../../lambdas/deliver/rocketmq/grpc/errors.ts';
import { systemClock } from '../../../../lambdas/net/clock.ts';

const LATE = new NoAnswerError('sendMessage', 'a:1', Object.assign(new Error('late'), { code: 4 }) as ServiceError);
const MISSING = new RefusedError('a:1', 40_402, 'No topic route info');
const REFUSED = new RefusedError('a:1', 40_100, 'User:x is not found.');

interface Call {
  readonly client: Client;
  end(error?: Error): Promise<void>;
}

/** Clients whose calls end when the test ends them. */
class Fakes {
  nowMs = 0;
  /** How often each client was closed. */
  readonly closes = new Map<Client, number>();
  readonly clients = openClients({
    endpoints: ['a:1'],
    credentials: ({ refresh }) => ({ accessKey: 'key', secretKey: refresh ? 'new' : 'old' }),
    clock: { ...systemClock, wallMs: () => this.nowMs, monotonicMs: () => this.nowMs },
    open: () => {
      const client = { close: () => this.closes.set(client, this.closes.get(client)! + 1) } as unknown as Client;
      this.closes.set(client, 0);
      return client;
    },
  });

  get openCount(): number {
    return [...this.closes.values()].filter((times) => times === 0).length;
  }

  begin(): Promise<Call> {
    return new Promise((resolve) => {
      const ended = this.clients.use(
        (client) =>
          new Promise<void>((succeed, fail) => {
            const end = async (error?: Error) => {
              if (error === undefined) succeed();
              else fail(error);
              await ended.catch(() => {});
            };
            resolve({ client, end });
          }),
      );
    });
  }
}

it('leaves no client open but the current one, however and in whatever order calls end', async () => {
  const step = fc.oneof(
    fc.constant('begin' as const),
    fc.record({ which: fc.nat(), error: fc.constantFrom(undefined, LATE, MISSING), afterMs: fc.nat(40_000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const fakes = new Fakes();
      const calls: Call[] = [];
      const end = async (which: number, error?: Error) => {
        const [call] = calls.splice(which % calls.length, 1);
        expect(fakes.closes.get(call!.client)).toBe(0);
        await call!.end(error);
      };
      for (const one of steps) {
        if (one === 'begin') calls.push(await fakes.begin());
        else if (calls.length > 0) {
          fakes.nowMs += one.afterMs;
          await end(one.which, one.error);
        }
      }
      while (calls.length > 0) await end(0);
      expect(fakes.openCount).toBeLessThanOrEqual(1);
      expect(Math.max(0, ...fakes.closes.values())).toBeLessThanOrEqual(1);
      fakes.clients.close();
      expect(fakes.openCount).toBe(0);
    }),
  );
});

it('closes the clients of running calls, and opens none afterwards', async () => {
  const fakes = new Fakes();
  await fakes.begin();
  fakes.nowMs += 400_000;
  await fakes.begin();
  expect(fakes.openCount).toBe(2);
  fakes.clients.close();
  expect(fakes.openCount).toBe(0);
  await expect(fakes.clients.use(async () => {})).rejects.toThrow('closed');
});

it('makes a refused call once more, and no third time', async () => {
  const fakes = new Fakes();
  let made = 0;
  const refused = fakes.clients.use(async () => {
    made++;
    throw REFUSED;
  });
  await expect(refused).rejects.toBe(REFUSED);
  expect(made).toBe(2);
  expect(fakes.closes.size).toBe(2);
});
