import { generate, type IPublishPacket, parser } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { receivedEnvelope } from '../../../lambdas/source/mqtt/received.ts';
import { decoded } from './envelopes.ts';

/** A packet as the client's parser reads it. */
function received(packet: Partial<IPublishPacket> & { userProperties?: readonly [string, string][] }): IPublishPacket {
  const { userProperties = [], properties, ...rest } = packet;
  const names = [...new Set(userProperties.map(([name]) => name))];
  const values = (name: string) => userProperties.filter(([one]) => one === name).map(([, value]) => value);
  const written: IPublishPacket = {
    cmd: 'publish',
    topic: 'a/b',
    payload: Buffer.alloc(0),
    qos: 1,
    messageId: 7,
    retain: false,
    dup: false,
    properties: {
      ...properties,
      ...(names.length > 0 && { userProperties: Object.fromEntries(names.map((name) => [name, values(name)])) }),
    },
    ...rest,
  };
  let read: IPublishPacket | undefined;
  const packets = parser({ protocolVersion: 5 });
  packets.on('packet', (one) => {
    read = one as IPublishPacket;
  });
  packets.parse(generate(written, { protocolVersion: 5 }));
  return read!;
}

const AT = Date.UTC(2026, 10, 21, 9);

describe('the envelope of a message that a broker sent', () => {
  it('has all that the packet has, and the worker accepts it', () => {
    const binary = Buffer.from([0, 0xff, 0x80, 0x0a]);
    const envelope = receivedEnvelope(
      received({
        topic: 'temp_hum/é',
        payload: binary,
        qos: 2,
        retain: true,
        dup: true,
        properties: {
          contentType: 'application/json',
          payloadFormatIndicator: true,
          responseTopic: 'answers',
          correlationData: binary,
        },
        userProperties: [
          ['KEYS', 'k1'],
          ['a', '1'],
          ['a', '2'],
          ['__proto__', 'p'],
          ['', ''],
        ],
      }),
      AT,
    );
    const { id, ...rest } = envelope;
    expect(id).toMatch(/^[\da-f]{8}-[\da-f-]{27}$/);
    expect(JSON.stringify(rest)).toBe(
      '{"v":1,"kind":"mqtt.message.publish","topic":"temp_hum/é","timestamp":1795251600000,"payload":"AP+ACg==",' +
        '"contentType":"application/json","formatIndicator":"UTF8_DATA","responseTopic":"answers","correlationData":"AP+ACg==",' +
        '"userProperties":[{"KEYS":"k1"},{"a":"1"},{"a":"2"},{"__proto__":"p"},{"":""}],"qos":2,"retain":true,"dup":true}',
    );
    expect(decoded(JSON.stringify(envelope))).toMatchObject({ topic: 'temp_hum/é', qos: 2, retain: true });
  });

  it('leaves out what the packet does not have', () => {
    const { id, ...rest } = receivedEnvelope(received({ qos: 0, messageId: undefined }), AT);
    expect(JSON.stringify(rest)).toBe(
      '{"v":1,"kind":"mqtt.message.publish","topic":"a/b","timestamp":1795251600000,"payload":"","qos":0,"retain":false,"dup":false}',
    );
  });

  it('gets an id of its own, each time', () => {
    const packet = received({});
    expect(receivedEnvelope(packet, AT).id).not.toBe(receivedEnvelope(packet, AT).id);
  });
});
