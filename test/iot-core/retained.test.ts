import { expect, it } from 'vitest';
import { quotas } from '../../localstack/iot-core/broker/limits.ts';
import type { Publication } from '../../localstack/iot-core/broker/publication.ts';
import { RetainedMessages } from '../../localstack/iot-core/broker/retained.ts';

const publication = (topic: string, payload: string | Uint8Array) =>
  ({ topic, payload: Buffer.from(payload), retain: true, timestamp: 0, properties: {} }) as unknown as Publication;

it('retains as many messages as AWS IoT Core does, replaces and deletes them, and reports one that it does not retain', () => {
  const errors: string[] = [];
  const retained = new RetainedMessages(({ message }) => errors.push(message));
  for (let n = 0; n < quotas.retainedMessages; n++) retained.store(publication(`t/${n}`, 'x'));
  retained.store(publication('one more', 'x'));
  expect(retained.find('one more', 0)).toBeUndefined();
  expect(errors).toEqual([expect.stringContaining('"one more" is not retained')]);
  retained.store(publication('t/0', 'y'));
  expect(String(retained.find('t/0', 0)!.payload)).toBe('y');
  retained.store(publication('t/1', ''));
  retained.store(publication('one more', 'x'));
  expect(retained.find('one more', 0)).toBeDefined();
});

it('retains a bounded number of bytes', () => {
  const errors: string[] = [];
  const retained = new RetainedMessages(({ message }) => errors.push(message));
  const large = new Uint8Array(128 * 1024);
  for (let n = 0; n < 600; n++) retained.store(publication(`t/${n}`, large));
  const kept = Array.from({ length: 600 }, (_, n) => retained.find(`t/${n}`, 0)).filter((one) => one !== undefined);
  expect(kept.length * large.byteLength).toBeLessThanOrEqual(quotas.retainedBytes);
  expect(kept.length + errors.length).toBe(600);
});
