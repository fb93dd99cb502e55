import type { ServiceError } from '@grpc/grpc-js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Client } from '../../../../lambdas/deliver/rocketmq/grpc/client.ts';
import { type Held, openClients } from '../../../../lambdas/deliver/rocketmq/grpc/clients.ts';
import { NoAnswerError } from '../../../../lambdas/deliver/rocketmq/grpc/errors.ts';

const LATE = new NoAnswerError('sendMessage', 'a:1', Object.assign(new Error('late'), { code: 4 }) as ServiceError);
const MISSING = Object.assign(new Error('No topic route info'), { code: 40_402 });

it('leaves no client open but the last, whatever ends its calls and in whatever order', async () => {
  const step = fc.oneof(
    fc.constant('acquire' as const),
    fc.record({ which: fc.nat(), error: fc.constantFrom(undefined, LATE, MISSING), afterMs: fc.nat(40_000) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      let now = 0;
      const closes = new Map<Client, number>();
      const clients = openClients({
        endpoints: ['a:1'],
        credentials: undefined,
        clock: { wallMs: () => now, monotonicMs: () => now },
        async open() {
          const client = { close: () => closes.set(client, closes.get(client)! + 1) } as unknown as Client;
          closes.set(client, 0);
          return client;
        },
      });
      const held: Held[] = [];
      const release = (which: number, error?: Error) => {
        const [one] = held.splice(which % held.length, 1);
        expect(closes.get(one!.client)).toBe(0);
        one!.release(error);
      };
      for (const one of steps) {
        if (one === 'acquire') held.push(await clients.acquire());
        else if (held.length > 0) {
          now += one.afterMs;
          release(one.which, one.error);
        }
      }
      while (held.length > 0) release(0);
      // The one of now waits for the next call.
      expect([...closes.values()].filter((times) => times === 0).length).toBeLessThanOrEqual(1);
      expect(Math.max(0, ...closes.values())).toBeLessThanOrEqual(1);
    }),
  );
});
