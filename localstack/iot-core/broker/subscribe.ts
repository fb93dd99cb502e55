import type { ISubscribePacket, ISubscription } from 'mqtt-packet';
import { isSubscribable, type ParsedFilter, parseFilter, quotas } from './limits.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import { ConnectionViolation, reasonCodes } from './violation.ts';

interface Request extends ISubscription {
  parsed: ParsedFilter;
}

export interface Subscribed {
  /** Reason codes of the SUBACK, one for each filter. */
  codes: number[];
  /** The filters that were granted. */
  topics: string[];
  /** Sends retained and queued messages of these filters. To be called after the SUBACK is sent. */
  deliverQueued: () => void;
}

/** @throws ConnectionViolation, before any change, when a filter makes AWS IoT Core close the connection. */
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
  const deliverQueued = () => {
    for (const { request, fresh } of granted) sendRetained(request, fresh, session, services);
    services.subscriptions.deliverQueued(session, services.now());
  };
  return { codes, topics: granted.map(({ request }) => request.topic), deliverQueued };
}

function checked({ subscriptions, properties }: ISubscribePacket): Request[] {
  if (subscriptions.length === 0)
    throw new ConnectionViolation('SUBSCRIBE without a topic filter', reasonCodes.protocolError);
  if (subscriptions.length > quotas.filtersPerSubscribe) {
    throw new ConnectionViolation(
      `SUBSCRIBE: got ${subscriptions.length} topic filters; expected at most ${quotas.filtersPerSubscribe}`,
      reasonCodes.quotaExceeded,
    );
  }
  if (properties?.subscriptionIdentifier !== undefined) {
    throw new ConnectionViolation(
      'subscription identifier: not supported by AWS IoT Core',
      reasonCodes.subscriptionIdentifiersNotSupported,
    );
  }
  return subscriptions.map((subscription) => {
    const parsed = parseFilter(subscription.topic);
    // AWS IoT Core does not answer a SUBSCRIBE with QoS 2. This broker closes the connection and reports why.
    if (subscription.qos === 2)
      throw new ConnectionViolation('SUBSCRIBE QoS: got 2; AWS IoT Core supports 0 and 1', reasonCodes.qosNotSupported);
    if (parsed.share !== undefined && subscription.nl) {
      throw new ConnectionViolation('no local: not allowed on a shared subscription', reasonCodes.protocolError);
    }
    return { ...subscription, parsed };
  });
}

/** AWS IoT Core sends retained messages only to filters without wildcards. Retain handling: 0 always, 1 if new, 2 never. */
function sendRetained({ parsed, qos, rh = 0 }: Request, fresh: boolean, session: Session, services: Services): void {
  if (parsed.share !== undefined || rh === 2 || (rh === 1 && !fresh)) return;
  const publication = services.retained.find(parsed.filter, services.now());
  if (publication === undefined) return;
  session.deliver({ publication, qos: publication.qos === 1 && qos === 1 ? 1 : 0, retain: true });
}
