import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Resolved } from '../../../lambdas/core/deploy-time.ts';
import { NeverRetry } from '../../../lambdas/core/errors.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { type MqttOptions, mqttOptions } from '../../../lambdas/deliver/mqtt/config.ts';
import { compileMqtt } from '../../../lambdas/deliver/mqtt/render.ts';
import '../../support/property-runs.ts';

const renderOf = (over: object) =>
  compileMqtt(
    parseOptions(mqttOptions, { type: 'mqtt', server: 'mqtt://b', topic: 't', ...over }) as Resolved<MqttOptions>,
    'fail',
  );
/** The request, or the code of the dead letter. */
function rendered(over: object, scope: object, event: object = {}) {
  try {
    return renderOf(over)(scope, event);
  } catch (error) {
    if (error instanceof NeverRetry) return error.code;
    throw error;
  }
}
const bytesOf = (text: string) => Buffer.byteLength(text);
// biome-ignore lint/suspicious/noControlCharactersInRegex: MQTT forbids them.
const ILLEGAL = /[+#\u0000]/;

describe('a rendered MQTT message', () => {
  it('has a topic that every broker takes, or none', () => {
    const topic = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('$SYS/broker', '$share/g/t', 'a/#', '+', '', 'a/b', ' ', 'x'.repeat(65_536), '\ud800'),
    );
    fc.assert(
      fc.property(topic, (name) => {
        const found = rendered({ topic: '${name}', payload: 'p' }, { name });
        if (typeof found === 'string') {
          expect(found).toBe(name.isWellFormed() ? 'INVALID_TARGET' : 'INVALID_PAYLOAD');
          return;
        }
        expect(found).toMatchObject({ topic: name, isTopicRendered: true });
        expect(name).not.toMatch(ILLEGAL);
        expect(name.isWellFormed()).toBe(true);
        expect(name.startsWith('$')).toBe(false);
        expect(bytesOf(name)).toBeGreaterThan(0);
        expect(bytesOf(name)).toBeLessThanOrEqual(65_535);
      }),
    );
  });

  it('has a topic of the allow-list, or none', () => {
    const topics = ['plant/*', 'exact'];
    for (const [name, isAllowed] of [
      ['plant/a', true],
      ['exact', true],
      ['exact/a', false],
      ['plan', false],
      ['$SYS/plant/a', false],
      ['plant/#', false],
    ] as const)
      expect([name, typeof rendered({ topic: '${name}', topics, payload: 'p' }, { name }) === 'object']).toEqual([
        name,
        isAllowed,
      ]);
  });

  it('has QoS and retain flag in the form that a device wrote, or is a dead letter', () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(0, 1, 2, '0', '1', '2', 1.0, true, false, 'true', 'false', null, 3, -1, 'yes', {}, []),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(value, value, (qos, retain) => {
        const found = rendered({ qos: '${q}', retain: '${r}', payload: 'p' }, { q: qos, r: retain });
        if (typeof found === 'string') {
          expect(['INVALID_TARGET', 'TEMPLATE_VARIABLE_MISSING']).toContain(found);
          return;
        }
        expect([0, 1, 2]).toContain(found.qos);
        expect([true, false]).toContain(found.retain);
        expect(found.isRetainRendered).toBe(true);
      }),
    );
    expect(rendered({ qos: 2, retain: true }, {})).toMatchObject({ qos: 2, retain: true, isRetainRendered: false });
  });

  it('has properties that fit their fields, or is a dead letter', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constant('x'.repeat(65_536)),
      fc.constantFrom('', 'text/plain'),
    );
    fc.assert(
      fc.property(fc.dictionary(text, fc.oneof(text, fc.array(text), fc.jsonValue())), text, (pairs, contentType) => {
        const found = rendered(
          { userProperties: '$.pairs', contentType: '${c}', payload: 'p' },
          { c: contentType },
          { pairs },
        );
        if (typeof found === 'string') {
          expect(['REJECTED', 'TEMPLATE_VARIABLE_MISSING']).toContain(found);
          return;
        }
        for (const [name, value] of found.properties.userProperties)
          for (const one of [name, value]) {
            expect(bytesOf(one)).toBeLessThanOrEqual(65_535);
            expect(one.isWellFormed()).toBe(true);
            expect(one).not.toMatch(/\p{Cc}/u);
          }
        expect(bytesOf(found.properties.contentType ?? '')).toBeLessThanOrEqual(65_535);
      }),
    );
  });

  it('is too large from one byte above the limit', () => {
    const status = (length: number) => {
      const found = rendered({ maxMessageBytes: 10, payload: '${p}' }, { p: 'x'.repeat(length) });
      return typeof found === 'string' ? found : found.payload.length;
    };
    expect([10, 11].map(status)).toEqual([10, 'MESSAGE_TOO_LARGE']);
  });
});
