import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope, type Envelope } from '../../lambdas/core/envelope.ts';
import { NeverRetry } from '../../lambdas/core/errors.ts';
import { toEvent } from '../../lambdas/core/event.ts';
import { MqttRecord } from '../../lambdas/core/record.ts';
import { toRuleOutput } from '../../lambdas/core/rule-output.ts';
import { envelope } from '../support/messages.ts';
import { runs } from '../support/property-runs.ts';

const received = { messageId: 'm', sentAt: 1_795_251_600_100 };
const decode = (value: unknown) => decodeEnvelope(typeof value === 'string' ? value : JSON.stringify(value), received);
const reading = { type: 'iot-core', dataFormat: 'text', defaults: {} } as const;
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

describe('an envelope', () => {
  it('without a time is as old as the buffer knows it (F36)', () => {
    const { timestamp: _, ...timeless } = envelope();
    for (const time of ['', ',"timestamp":null', ',"timestamp":"now"', ',"timestamp":{}', ',"timestamp":1e400']) {
      const decoded = decode(JSON.stringify(timeless).replace(/}$/, `${time}}`));
      expect(decoded.timestamp).toBe(received.sentAt);
      expect(toEvent(new MqttRecord(decoded), reading).time).toBe('2026-11-21T09:00:00.100Z');
    }
    expect(decode(envelope()).timestamp).toBe(envelope().timestamp);
  });

  it('lacks what it lacks', () => {
    const { kind, id, topic, payload } = envelope();
    const least = { v: 1, kind, id, topic, payload };
    expect(decode(least)).toEqual({ ...least, timestamp: received.sentAt });
  });

  it.each(['v', 'kind', 'id', 'topic', 'clientid', 'contentType', 'qos', 'userProperties', 'payload'])(
    'whose %s nests 60,000 levels deep is none (S11)',
    (key) => {
      const body = JSON.stringify({ ...envelope(), [key]: 'here' }).replace('"here"', nested(60_000));
      expect(() => decode(body)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_ENVELOPE' }));
    },
  );

  it('is decoded and can be read, or is refused with an error that repeats none of it (S05, S11)', () => {
    const keys: (keyof Envelope)[] = [
      ...(Object.keys(envelope()) as (keyof Envelope)[]),
      'qos',
      'retain',
      'userProperties',
    ];
    const word = fc.constantFrom('canary', ['canary'], { canary: 'canary' }, [{ canary: 'canary' }], 1e300, null, true);
    const forged = fc.dictionary(fc.constantFrom(...keys, '__proto__'), word, { maxKeys: 4 });
    fc.assert(
      fc.property(forged, (over) => {
        try {
          const record = new MqttRecord(decode({ ...envelope(), ...over }));
          JSON.stringify([toEvent(record, reading), toRuleOutput(record, reading)]);
        } catch (error) {
          expect(error).toBeInstanceOf(NeverRetry);
          expect((error as Error).message).not.toContain('canary');
        }
      }),
      { numRuns: runs(300) },
    );
  });
});
