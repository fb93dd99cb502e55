import { stamped } from './inbound.ts';
import { eventTopic, hasEvents, type LifecycleEvent, principalOf } from './lifecycle.ts';
import type { Publication } from './publication.ts';
import type { Router } from './router.ts';

/** Who publishes when it is no MQTT client: AWS's `clientid()` is `n/a` then. */
export const insideSender = {
  clientId: 'n/a',
  sourceIp: '127.0.0.1',
  principal: principalOf('n/a'),
  protocolVersion: 4,
} as const;

/** Tells a lifecycle event to the embedder, and to subscribers and rules as the ordinary message it is on AWS. */
export function announcer(
  router: Router,
  onLifecycle: (event: LifecycleEvent) => void,
  onError: (error: Error) => void,
): (event: LifecycleEvent) => void {
  return (event) => {
    if (!hasEvents(event.clientId)) return;
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
    // A subscriber's own QoS decides.
    qos: 1,
    retain: false,
    dup: false,
    ...insideSender,
  } as const;
  return stamped({ ...message, properties: { userProperties: [] } }, event.timestamp);
}
