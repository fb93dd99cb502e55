import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ProtocolError } from '../../../../lambdas/deliver/rocketmq/remoting/errors.ts';
import { decodeMessages } from '../../../../lambdas/deliver/rocketmq/remoting/stored-message.ts';

/** A message as a broker stores it, with the addresses of the publisher and the broker in IPv6 or not. */
function stored(body: string, { isIpv6 = false, topic = 'Topic' } = {}): Buffer {
  const host = Buffer.alloc(isIpv6 ? 20 : 8, 7);
  const head = Buffer.alloc(48);
  head.writeUInt32BE(0xdaa320a7, 4);
  head.writeInt32BE(3, 12);
  head.writeBigInt64BE(41n, 20);
  head.writeInt32BE(isIpv6 ? 0x30 : 0, 36);
  const time = Buffer.alloc(8);
  time.writeBigInt64BE(1_795_251_600_000n);
  const bytes = Buffer.from(body);
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  const properties = Buffer.from('KEYS\x01k1 k2\x02p\x01é\x02');
  const propertiesLength = Buffer.alloc(2);
  propertiesLength.writeUInt16BE(properties.length);
  const name = Buffer.from(topic);
  const tail = [length, bytes, Buffer.from([name.length]), name, propertiesLength, properties];
  const whole = Buffer.concat([head, host, time, host, Buffer.alloc(12), ...tail]);
  whole.writeInt32BE(whole.length);
  return whole;
}

it('decodes messages that follow each other', () => {
  const messages = decodeMessages(Buffer.concat([stored('a'), stored('{"n":1}', { isIpv6: true }), stored('')]));
  expect(messages.map(({ body }) => `${body}`)).toEqual(['a', '{"n":1}', '']);
  for (const message of messages)
    expect(message).toMatchObject({
      queueId: 3,
      offset: 41,
      storedAt: 1_795_251_600_000,
      keys: 'k1 k2',
      tag: undefined,
      properties: { p: 'é' },
    });
});

it('refuses all other bytes with a protocol error', () => {
  const whole = stored('a');
  const damaged = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => {
    const bytes = Buffer.from(whole);
    bytes[at] = byte;
    return bytes;
  });
  const cut = fc.nat(whole.length).map((end) => whole.subarray(0, end));
  fc.assert(
    fc.property(fc.oneof(damaged, cut, fc.uint8Array().map(Buffer.from)), (bytes) => {
      try {
        decodeMessages(Buffer.from(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});
