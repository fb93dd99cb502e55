import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../lambdas/core/envelope.ts';
import { toEvent } from '../../lambdas/core/event.ts';
import {
  CLIENT_EVENT_TYPES,
  type ClientEventName,
  clientEventFilter,
  eventTypeOfTopic,
} from '../../lambdas/core/event-type.ts';
import { openEnvelope } from '../../lambdas/core/open-envelope.ts';
import { toRuleOutput } from '../../lambdas/core/rule-output.ts';
import { matchesTopicFilter } from '../../lambdas/core/topic-filter.ts';
import { select } from '../../lambdas/step/select.ts';
import { viewsOf } from '../../lambdas/step/step.ts';
import { numbered } from '../../lambdas/worker/children.ts';
import { eventTopic, type LifecycleEvent } from '../../localstack/iot-core/broker/lifecycle.ts';
import { envelope } from '../support/messages.ts';

const reading = { type: 'client-events', dataFormat: 'binary', defaults: {} } as const;
const known = { clientId: 'plant/1', timestamp: 1_795_251_600_000, sessionIdentifier: 's1', principalIdentifier: 'p1' };
const connected = { ...known, eventType: 'connected', ipAddress: '192.0.2.7', versionNumber: 3 } as const;
const subscribed = { ...known, eventType: 'subscribed', topics: ['a/#', '$share/g/b', 'c'] } as const;

/** A client event as a rule forwards it: AWS IoT Core is its publisher. */
function published(event: object, id = 'random') {
  const name = (event as LifecycleEvent).eventType;
  return envelope(JSON.stringify(event), {
    kind: CLIENT_EVENT_TYPES[name],
    id,
    topic: eventTopic(event as LifecycleEvent),
    clientid: 'n/a',
    principal: 'AWS',
  });
}
function open(event: object, id?: string, subscribedTo = '#') {
  const { envelope, records } = openEnvelope(published(event, id));
  const step = select.compile({ subscribedTo }, viewsOf(reading));
  return { envelope, records: numbered(records).filter((record) => step(record) !== undefined) };
}

describe('a client event', () => {
  it('is its client’s, at its time', () => {
    const { envelope: whole, records } = open(connected);
    expect(whole).toMatchObject({
      clientid: 'plant/1',
      principal: 'p1',
      sourceip: '192.0.2.7',
      timestamp: known.timestamp,
    });
    expect(toEvent(records[0]!, reading)).toMatchObject({
      type: 'mqtt.client.connected',
      subject: '$aws/events/presence/connected/plant/1',
      datacontenttype: 'application/json',
      data: { clientid: 'plant/1', username: null, sessionIdentifier: 's1', versionNumber: 3, body: connected },
    });
    expect(toRuleOutput(records[0]!, reading)).toEqual({
      event: 'client.connected',
      id: whole.id,
      clientid: 'plant/1',
      username: null,
      principal: 'p1',
      peerhost: '192.0.2.7',
      timestamp: known.timestamp,
      connected_at: known.timestamp,
      session_identifier: 's1',
      version_number: 3,
    });
  });

  it('that AWS IoT Core repeats has the same id, and any other has another (F18, F38)', () => {
    const ids = (event: object, id: string) => open(event, id).records.map(({ envelope: { id } }) => id);
    for (const event of [connected, subscribed]) expect(ids(event, 'a')).toEqual(ids(event, 'b'));
    const others = [
      connected,
      { ...connected, versionNumber: 4 },
      { ...connected, sessionIdentifier: 's2' },
      { ...connected, clientId: 'plant/2' },
      { ...connected, eventType: 'disconnected' },
      subscribed,
      { ...subscribed, timestamp: known.timestamp + 1 },
      { ...subscribed, topics: ['a/#'] },
    ].flatMap((event) => ids(event, 'a'));
    expect(others).toHaveLength(12);
    expect(new Set(others).size).toBe(12);
    // Keys of RocketMQ are parted by spaces.
    expect(others.every((id) => /^[0-9a-f]{32}(#\d+)?$/.test(id))).toBe(true);
  });

  it('that subscribes to several topics is a record for each that is wanted, under the same id as without a wish (B13)', () => {
    const of = (subscribedTo?: string) =>
      open(subscribed, 'x', subscribedTo).records.map(({ envelope: { id, topic } }) => ({ id, topic }));
    const all = of();
    expect(all.map(({ topic }) => topic)).toEqual(['a/#', '$share/g/b', 'c']);
    expect(of('#')).toEqual(all);
    expect(of('b')).toEqual([all[1]]);
    expect(of('+/+')).toEqual([all[0]]);
    expect(toRuleOutput(open(subscribed).records[2]!, reading)).toMatchObject({ topic: 'c', qos: null });
  });

  it('that is invalid is refused with an error that repeats none of it (S05)', () => {
    const forged = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ clientId: fc.constantFrom(1, null, 'canary'), topics: fc.constantFrom('canary', [1], { a: 1 }) })
        .map((o) => JSON.stringify(o)),
    );
    fc.assert(
      fc.property(forged, fc.constantFrom(...Object.values(CLIENT_EVENT_TYPES)), (payload, kind) => {
        try {
          for (const record of openEnvelope(envelope(payload, { kind, clientid: 'n/a' })).records) {
            JSON.stringify([toEvent(record, reading), toRuleOutput(record, reading)]);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_PAYLOAD' });
          expect((error as Error).message).not.toContain('canary');
        }
      }),
    );
  });

  it('that a client published, as it can by Basic Ingest, is refused, whatever client it names', () => {
    const forged = { ...published(connected), clientid: 'thief' };
    expect(() => openEnvelope(forged)).toThrow('a client published this mqtt.client.connected event');
    const { clientid: _, ...https } = published(connected);
    expect(openEnvelope(https).envelope.clientid).toBe('plant/1');
  });

  it.each([1e300, -1, 0.5, Number.MAX_SAFE_INTEGER])('at the time %d is refused', (timestamp) => {
    expect(() => open({ ...connected, timestamp })).toThrow('not an AWS IoT Core event');
  });

  it('is known by its topic where a rule’s error action sends it, client ids with slashes too', () => {
    for (const name of Object.keys(CLIENT_EVENT_TYPES) as ClientEventName[]) {
      const topic = eventTopic({ ...connected, eventType: name } as unknown as LifecycleEvent);
      expect(matchesTopicFilter(clientEventFilter(name), topic)).toBe(true);
      const failed = { topic, base64OriginalPayload: '', failures: [], cloudwatchTraceId: 't' };
      const received = { messageId: 'm', sentAt: 0 };
      expect(decodeEnvelope(JSON.stringify(failed), received).kind).toBe(CLIENT_EVENT_TYPES[name]);
    }
    expect(eventTypeOfTopic('$aws/events/presence/connect_failed/c')).toBe('mqtt.message.publish');
    expect(eventTypeOfTopic('$aws/events/presence/constructor/c')).toBe('mqtt.message.publish');
    expect(eventTypeOfTopic('a/$aws/events/presence/connected/c')).toBe('mqtt.message.publish');
  });
});
