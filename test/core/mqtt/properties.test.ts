import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { InvalidOptionError } from '../../../lambdas/core/errors.ts';
import {
  compileMqttProperties,
  type MqttPropertyOptions,
  mqttPropertyOptions,
} from '../../../lambdas/core/mqtt/properties.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { anyCharacter } from '../../support/characters.ts';

const schema = z.strictObject(mqttPropertyOptions);
const read = (options: MqttPropertyOptions, event: object = {}, scope: object = {}) =>
  compileMqttProperties(parseOptions(schema, options), 'fail')(scope, event);

describe('the MQTT 5 properties of a message', () => {
  it('are none without options, and none for which an option renders nothing', () => {
    expect(read({})).toEqual({ userProperties: [] });
    const paths = Object.fromEntries(Object.keys(mqttPropertyOptions).map((name) => [name, `$.${name}`]));
    expect(read(paths)).toEqual({ userProperties: [] });
  });
  it('are those of the publisher, when JSONPaths forward them', () => {
    const systemProperties = {
      contentType: 'text/plain',
      payloadFormatIndicator: 'UTF8_DATA',
      responseTopic: 'r/1',
      correlationData: 'AP8=',
    };
    expect(
      read(
        {
          contentType: '$.contentType',
          payloadFormatIndicator: '$.payloadFormatIndicator',
          responseTopic: '$.responseTopic',
          correlationData: '$.correlationData',
          userProperties: '$.all',
          messageExpirySeconds: '$.ttl',
        },
        { ...systemProperties, all: { a: ['1', '2'], __proto__: null, b: 'x', '': '' }, ttl: 60 },
      ),
    ).toEqual({
      contentType: 'text/plain',
      payloadFormatIndicator: 1,
      responseTopic: 'r/1',
      correlationData: Buffer.from([0, 255]),
      messageExpirySeconds: 60,
      userProperties: [
        ['a', '1'],
        ['a', '2'],
        ['b', 'x'],
        ['', ''],
      ],
    });
  });
  it('render a text for each name', () => {
    const userProperties = { from: '${clientid}', temp: '$.temp', none: '$.none', constant: 'x' };
    expect(read({ userProperties }, { temp: 21.5 }, { clientid: 'c1' }).userProperties).toEqual([
      ['from', 'c1'],
      ['temp', '21.5'],
      ['constant', 'x'],
    ]);
  });
  it.each([
    { messageExpirySeconds: 0 },
    { messageExpirySeconds: 'soon' },
    { payloadFormatIndicator: '2' },
    { correlationData: 'not base64!' },
    { responseTopic: 'a/#' },
    { userProperties: { a: 'b\0' } },
  ])('are refused at synth: %j', (options) =>
    expect(() => read(options as MqttPropertyOptions)).toThrow(InvalidOptionError),
  );
  it('never hold what MQTT does not allow', () => {
    const options = Object.fromEntries(Object.keys(mqttPropertyOptions).map((name) => [name, `$.${name}`]));
    const text = fc.oneof(
      fc.string({ unit: anyCharacter }),
      fc.constantFrom('1', 'AA==', 'UTF8_DATA', 'a/b', '\0', '1.0'),
    );
    const value = fc.oneof(text, fc.integer(), fc.double(), fc.constant(null), fc.dictionary(text, fc.jsonValue()));
    const events = fc.record(Object.fromEntries(Object.keys(options).map((name) => [name, value])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(events, (event) => {
        let made: ReturnType<typeof read>;
        try {
          made = read(options, event);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(REJECTED|INVALID_PAYLOAD)$/) });
          return;
        }
        const texts = [made.contentType, made.responseTopic, ...made.userProperties.flat()];
        for (const one of texts) expect(one ?? '').not.toMatch(/[\p{Cc}\p{Cs}]/u);
        expect(made.messageExpirySeconds ?? 1).toBeGreaterThanOrEqual(1);
        expect([undefined, 0, 1]).toContain(made.payloadFormatIndicator);
      }),
    );
  });
});
