import { newPublication } from './inbound.ts';
import { emitsLifecycleEvents, eventTopic, type LifecycleEvent, principalOf } from './lifecycle.ts';
import type { Publication } from './publication.ts';
import type { Router } from './router.ts';

/** The publisher of messages that no MQTT client sent. `clientid()` of AWS IoT SQL returns `n/a` for them. */
export const internalPublisher = {
  clientId: 'n/a',
  sourceIp: '127.0.0.1',
  principal: principalOf('n/a'),
  protocolVersion: 4,
} as const;

/** Publishes lifecycle events on their `$aws/events` topics, for subscribers and rules, after reporting them to `onLifecycle`. */
export function lifecyclePublisher(
  router: Router,
  onLifecycle: (event: LifecycleEvent) => void,
  onError: (error: Error) => void,
): (event: LifecycleEvent) => void {
  return (event) => {
    if (!emitsLifecycleEvents(event.clientId)) return;
    try {
      onLifecycle(event);
    } catch (error) {
      onError(error as Error);
    }
    router.submit(eventPublication(event));
  };
}

function eventPublication(event: LifecycleEvent): Publication {
  const message = {
    topic: eventTopic(event),
    payload: Buffer.from(JSON.stringify(event)),
    // The highest QoS: a subscriber gets the lower one of this and its own.
    qos: 1,
    retain: false,
    dup: false,
    ...internalPublisher,
  } as const;
  return newPublication({ ...message, properties: { userProperties: [] } }, event.timestamp);
}
