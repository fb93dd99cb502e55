import type { ISubscribePacket, ISubscription } from 'mqtt-packet';
import { isSubscribable, type ParsedFilter, parseFilter, quotas } from './limits.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import { ConnectionViolation, reasonCodes } from './violation.ts';

interface Request extends ISubscription {
  parsed: ParsedFilter;
}

export interface Subscribed {
  /** One a filter, for the SUBACK. */
  codes: number[];
  /** The filters that were granted. */
  topics: string[];
  /** To be called after the SUBACK: sends what waited for these filters. */
  serve: () => void;
}

/** Throws, and changes nothing, when any of the filters would make AWS drop the connection. */
export function subscribe(packet: ISubscribePacket, session: Session, services: Services): Subscribed {
  const requests = checked(packet);
  const granted: { request: Request; fresh: boolean }[] = [];
  const codes = requests.map((request) => {
    const { topic, parsed, qos, nl, rap } = request;
    if (!isSubscribable(parsed)) return reasonCodes.notAuthorized;
    if (!session.filters.has(topic) && session.filters.size >= quotas.subscriptionsPerConnection) {
      return reasonCodes.quotaExceeded;
    }
    const options = { qos: qos === 1 ? 1 : 0, noLocal: nl === true, retainAsPublished: rap === true } as const;
    granted.push({ request, fresh: services.subscriptions.add(session, topic, parsed, options) });
    return options.qos;
  });
  const serve = () => {
    for (const { request, fresh } of granted) sendRetained(request, fresh, session, services);
    services.subscriptions.serve(session, services.now());
  };
  return { codes, topics: granted.map(({ request }) => request.topic), serve };
}

function checked({ subscriptions, properties }: ISubscribePacket): Request[] {
  if (subscriptions.length === 0) throw new ConnectionViolation('SUBSCRIBE to nothing', reasonCodes.protocolError);
  if (subscriptions.length > quotas.filtersPerSubscribe) {
    throw new ConnectionViolation(`${subscriptions.length} filters in a SUBSCRIBE`, reasonCodes.quotaExceeded);
  }
  if (properties?.subscriptionIdentifier !== undefined) {
    throw new ConnectionViolation('subscription identifier', reasonCodes.subscriptionIdentifiersNotSupported);
  }
  return subscriptions.map((subscription) => {
    const parsed = parseFilter(subscription.topic);
    // AWS leaves a QoS 2 SUBSCRIBE without an answer; closing shows the client why it waits.
    if (subscription.qos === 2) throw new ConnectionViolation('AWS IoT Core has no QoS 2', reasonCodes.qosNotSupported);
    if (parsed.share !== undefined && subscription.nl) {
      throw new ConnectionViolation('no-local on a shared subscription', reasonCodes.protocolError);
    }
    return { ...subscription, parsed };
  });
}

/** Unlike MQTT, AWS gives retained messages to exact-topic filters only. Retain handling: 0 always, 1 if new, 2 never. */
function sendRetained({ parsed, qos, rh = 0 }: Request, fresh: boolean, session: Session, services: Services): void {
  if (parsed.share !== undefined || rh === 2 || (rh === 1 && !fresh)) return;
  const publication = services.retained.find(parsed.filter, services.now());
  if (publication === undefined) return;
  session.offer({ publication, qos: publication.qos === 1 && qos === 1 ? 1 : 0, retain: true });
}
