import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { messageIds } from '../../../../lambdas/deliver/rocketmq/grpc/message-id.ts';
import { CLIENT_VERSION, metadataOf } from '../../../../lambdas/deliver/rocketmq/grpc/metadata.ts';

const NOW = new Date('2026-11-28T18:00:05.250Z');

it('signs calls with the time, and never sends the secret', () => {
  const credentials = { accessKey: 'key', secretKey: 'canary', securityToken: 'token' };
  const signed = metadataOf({ clientId: 'id', namespace: 'ns', credentials }, NOW).getMap();
  expect(signed).toMatchObject({
    'x-mq-protocol': 'v2',
    'x-mq-client-id': 'id',
    'x-mq-namespace': 'ns',
    'x-mq-date-time': '20261128T180005Z',
    'x-mq-session-token': 'token',
    // printf 20261128T180005Z | openssl dgst -sha1 -hmac canary
    authorization:
      'MQv2-HMAC-SHA1 Credential=key, SignedHeaders=x-mq-date-time, Signature=9CC1BA6134B98F5963967B287EBA0D920B8A3CAF',
  });
  expect(JSON.stringify(signed)).not.toContain('canary');
});

it('leaves out the headers of options that are not set', () => {
  const plain = metadataOf({ clientId: 'id', namespace: '', credentials: undefined }, NOW).getMap();
  expect(Object.keys(plain)).not.toContain('authorization');
  expect(Object.keys(plain)).not.toContain('x-mq-namespace');
});

it('reports the version of the package whose stubs are used', () => {
  const { version } = JSON.parse(readFileSync('node_modules/rocketmq-client-nodejs/package.json', 'utf8'));
  expect(CLIENT_VERSION).toBe(version);
});

it('makes message ids that differ, also from those of other processes, and hold the time', () => {
  const [one, other] = [messageIds(), messageIds()];
  const ids = Array.from({ length: 1_000 }, () => [one(), other()]).flat();
  expect(new Set(ids).size).toBe(2_000);
  for (const id of ids) expect(id).toMatch(/^01[0-9A-F]{32}$/);
  const seconds = Number.parseInt(ids[0]!.slice(18, 26), 16) + Date.UTC(2021, 0) / 1_000;
  expect(Math.abs(seconds - Date.now() / 1_000)).toBeLessThan(60);
});
