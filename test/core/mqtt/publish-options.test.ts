import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { InvalidOptionError, NeverRetry } from '../../../lambdas/core/errors.ts';
import { compileQos, qosOption } from '../../../lambdas/core/mqtt/quality-of-service.ts';
import { compileRetain, retainOption } from '../../../lambdas/core/mqtt/retain.ts';
import {
  IOT_CORE_TOPIC_LIMITS,
  isTopicNameOrPrefix,
  MQTT_TOPIC_LIMITS,
  topicNameConstraint,
} from '../../../lambdas/core/mqtt/topic-name.ts';
import { parseOptions } from '../../../lambdas/core/options.ts';
import { matchesTopicFilter } from '../../../lambdas/core/topic-filter.ts';

const iotCore = topicNameConstraint(IOT_CORE_TOPIC_LIMITS);

describe('a topic name', () => {
  it.each(['', 'a+', 'a/#', 'a\0b', 'a\nb', 'a\u0085', '\uFFFE', '\u{1FFFF}', '\uD800', '$SYS/x', '$aws/rules/r', '$'])(
    'is never %j',
    (topic) => expect(iotCore.isMet(topic)).toBe(false),
  );
  it('has the limits of its server, in bytes', () => {
    expect(iotCore.isMet('é'.repeat(128))).toBe(true);
    expect(iotCore.isMet('é'.repeat(129))).toBe(false);
    expect(iotCore.isMet('/'.repeat(7))).toBe(true);
    expect(iotCore.isMet('/'.repeat(8))).toBe(false);
    expect(topicNameConstraint(MQTT_TOPIC_LIMITS).isMet('/'.repeat(65_535))).toBe(true);
    expect(topicNameConstraint({ ...MQTT_TOPIC_LIMITS, mayBeSystem: true }).isMet('$iothub/twin')).toBe(true);
  });
  it('is one that the list allows', () => {
    const { isMet, expected } = topicNameConstraint({ ...IOT_CORE_TOPIC_LIMITS, allowed: ['a/b', 'plant/*'] });
    expect(['a/b', 'plant/x', 'plant/'].every(isMet)).toBe(true);
    expect(['a', 'a/bc', 'plant', 'plant/*+', '$plant/'].some(isMet)).toBe(false);
    expect(expected).toMatch(/^a topic name that topics lists: 1 to 256 bytes/);
    expect(isTopicNameOrPrefix('plant/*', IOT_CORE_TOPIC_LIMITS)).toBe(true);
    for (const text of ['*', '', '$*', 'a*b', 'a/#', '$aws/*'])
      expect([text, isTopicNameOrPrefix(text, IOT_CORE_TOPIC_LIMITS)]).toEqual([text, false]);
  });
  it('is one that only itself matches as a topic filter', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.string(), (topic, other) => {
        if (iotCore.isMet(topic) && other !== topic) expect(matchesTopicFilter(topic, other)).toBe(false);
      }),
    );
  });
});

const parsed = (schema: z.ZodType, value: unknown) => () =>
  parseOptions(z.strictObject({ option: schema }), { option: value }, 'sink');

describe('qos', () => {
  it.each([0, 1, 2, '0', '${qos}', '$.data.qos', '${payload.level}'])('takes %j', (given) =>
    expect(parsed(qosOption, given)()).toEqual({ option: given }),
  );
  it.each([3, '7', 'high', -1, true])('refuses %j at synth', (given) =>
    expect(parsed(qosOption, given)).toThrow(InvalidOptionError),
  );
  it('is the value that the template renders, and 0 where that is unknown', () => {
    const qos = (option: string, scope: object, event = {}, missing: 'fail' | 'empty' | 'undefined' = 'fail') =>
      compileQos(option, missing)(scope, event);
    expect(qos('${qos}', { qos: 2 })).toBe(2);
    expect(qos('${qos}', { qos: null })).toBe(0);
    expect(qos('${qos}', {})).toBe(0);
    expect(qos('$.data.qos', {}, { data: { qos: 1 } })).toBe(1);
    expect(qos('$.data.qos', {}, { data: { qos: null } })).toBe(0);
    expect(qos('${payload.level}', { payload: '{"level":1.0}' })).toBe(1);
    expect(qos('${level}', {}, {}, 'empty')).toBe(0);
    expect(qos('${level}', {}, {}, 'undefined')).toBe(0);
    expect(() => qos('${level}', {})).toThrow(expect.objectContaining({ code: 'TEMPLATE_VARIABLE_MISSING' }));
  });
  it('is no other number, and the error does not repeat it', () => {
    const read = compileQos('${qos}', 'fail');
    for (const qos of [7, 0.5, '01', 'secret', [1], true]) {
      const error = (() => {
        try {
          return read({ qos }, {});
        } catch (thrown) {
          return thrown as NeverRetry;
        }
      })();
      expect(error).toBeInstanceOf(NeverRetry);
      expect(error).toMatchObject({ code: 'INVALID_TARGET' });
      expect(String(error)).not.toContain('secret');
    }
  });
});

describe('retain', () => {
  it.each([true, false, 'true', '${flags.retain}', '$.data.flags.retain'])('takes %j', (given) =>
    expect(parsed(retainOption, given)()).toEqual({ option: given }),
  );
  it('names the right spelling of the placeholder that EMQX’s documentation misspells', () => {
    expect(parsed(retainOption, '${falgs.retain}')).toThrow(
      "sink.option: got '${falgs.retain}'; expected ${flags.retain}",
    );
    expect(parsed(retainOption, 'yes')).toThrow(InvalidOptionError);
  });
  it('is the value that the template renders, and false where that is unknown', () => {
    const retain = (option: string, scope: object, event = {}) => compileRetain(option, 'fail')(scope, event);
    expect(retain('${flags.retain}', { flags: { retain: true } })).toBe(true);
    expect(retain('${flags.retain}', { flags: { retain: null } })).toBe(false);
    expect(retain('$.data.flags.retain', {}, { data: {} })).toBe(false);
    expect(retain('${payload.keep}', { payload: '{"keep":1}' })).toBe(true);
    for (const keep of ['"yes"', '2', '"toString"', '[]'])
      expect(() => retain('${payload.keep}', { payload: `{"keep":${keep}}` })).toThrow(
        expect.objectContaining({ code: 'INVALID_TARGET' }),
      );
  });
});
