import fc from 'fast-check';
import {
  Address,
  Broker,
  Endpoints,
  MessageQueue,
  Permission,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import { describe, expect, it } from 'vitest';
import { RetryLater } from '../../../../lambdas/core/errors.ts';
import { chooseBroker, parseRoute } from '../../../../lambdas/deliver/rocketmq/grpc/route.ts';

const queue = (name: string, permission: number, hosts: readonly string[] = [name]) =>
  new MessageQueue()
    .setPermission(permission as Permission)
    .setBroker(
      new Broker()
        .setName(name)
        .setEndpoints(new Endpoints().setAddressesList(hosts.map((host) => new Address().setHost(host).setPort(8081)))),
    );
const { NONE, READ, WRITE, READ_WRITE } = Permission;

describe('a route', () => {
  it('has each broker with a writable queue once, in the order of their names', () => {
    const queues = [
      queue('c', WRITE),
      queue('b', READ),
      queue('d', NONE),
      queue('a', READ),
      queue('a', READ_WRITE, ['10.0.0.5', '10.0.0.6']),
      queue('c', READ_WRITE),
    ];
    expect(parseRoute('T', queues)).toEqual([
      { name: 'a', address: '10.0.0.5:8081,10.0.0.6:8081' },
      { name: 'c', address: 'c:8081' },
    ]);
    expect(() => parseRoute('T', [queue('b', READ)])).toThrow(RetryLater);
  });

  const route = ['a', 'b', 'c'].map((name) => ({ name, address: `${name}:8081` }));
  const turn = fc.nat();
  const avoided = fc.subarray(route.map(({ address }) => address));

  it('keeps a group at one broker, and uses every broker', () => {
    const groups = fc.property(fc.string({ minLength: 1 }), turn, avoided, (group, n, away) => {
      expect(chooseBroker(route, group, n, (address) => away.includes(address))).toBe(
        chooseBroker(route, group, 0, () => false),
      );
    });
    fc.assert(groups);
    const used = Array.from({ length: 100 }, (_, n) => chooseBroker(route, `group ${n}`, 0, () => false));
    expect(new Set(used).size).toBe(3);
  });

  it('takes turns over the brokers that are not avoided, and over all when all are', () => {
    const turns = fc.property(turn, avoided, (first, away) => {
      const wanted = away.length === route.length ? route : route.filter(({ address }) => !away.includes(address));
      const chosen = wanted.map((_, n) => chooseBroker(route, '', first + n, (address) => away.includes(address)));
      expect(new Set(chosen)).toEqual(new Set(wanted));
    });
    fc.assert(turns);
  });
});
