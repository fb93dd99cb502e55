import { matchesTopicFilter } from '../../../lambdas/core/topic-filter.ts';
import type { ParsedFilter } from './limits.ts';
import type { Publication } from './publication.ts';
import type { Session } from './session.ts';
import { ShareGroup } from './share-group.ts';

/** The options of a subscription; MQTT 3.1.1 only has `qos`. */
export interface SubscriptionOptions {
  qos: 0 | 1;
  noLocal: boolean;
  retainAsPublished: boolean;
}

type Subscribers = Map<Session, SubscriptionOptions>;

/** The subscriptions of all sessions. */
export class Subscriptions {
  readonly #exact = new Map<string, Subscribers>();
  readonly #wildcard = new Map<string, Subscribers>();
  readonly #groups = new Map<string, ShareGroup>();
  readonly #onError: (error: Error) => void;

  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  /** Returns whether the filter is new to the session. */
  add(session: Session, text: string, parsed: ParsedFilter, options: SubscriptionOptions): boolean {
    session.filters.set(text, parsed);
    if (parsed.share !== undefined) return this.#group(text, parsed).add(session, options.qos);
    const table = this.#table(parsed.filter);
    const subscribers = table.get(parsed.filter) ?? new Map<Session, SubscriptionOptions>();
    table.set(parsed.filter, subscribers);
    const fresh = !subscribers.has(session);
    subscribers.set(session, options);
    return fresh;
  }

  /** Returns whether the session had the filter. */
  remove(session: Session, text: string): boolean {
    const parsed = session.filters.get(text);
    if (parsed === undefined) return false;
    session.filters.delete(text);
    const { share, filter } = parsed;
    if (share !== undefined) {
      const group = this.#groups.get(text);
      group?.remove(session);
      if (group?.empty) this.#groups.delete(text);
      return true;
    }
    const subscribers = this.#table(filter).get(filter);
    subscribers?.delete(session);
    if (subscribers?.size === 0) this.#table(filter).delete(filter);
    return true;
  }

  /** Removes a session that ended. Its unacknowledged messages of shared subscriptions go to other members. */
  removeAll(session: Session): void {
    for (const text of [...session.filters.keys()]) this.remove(session, text);
    for (const { share, publication } of session.takeUnacknowledged()) {
      if (share !== undefined) this.#guarded(() => share.deliver(publication));
    }
  }

  /** Delivers messages of the session's groups that were queued while all members were offline. */
  deliverQueued(session: Session, now: number): void {
    for (const text of session.filters.keys()) this.#groups.get(text)?.deliverQueued(session, now);
  }

  /** Delivers once to each session, at the highest QoS of its matching filters, and once to each group. */
  deliver(publication: Publication): void {
    const { topic } = publication;
    const chosen: Subscribers = new Map();
    this.#choose(chosen, this.#exact.get(topic), publication);
    for (const [filter, subscribers] of this.#wildcard) {
      if (matchesTopicFilter(filter, topic)) this.#choose(chosen, subscribers, publication);
    }
    for (const [session, options] of chosen) {
      const qos = publication.qos === 1 && options.qos === 1 ? 1 : 0;
      const retain = options.retainAsPublished && publication.retain;
      this.#guarded(() => session.deliver({ publication, qos, retain }));
    }
    for (const group of this.#groups.values()) {
      if (matchesTopicFilter(group.filter, topic)) this.#guarded(() => group.deliver(publication));
    }
  }

  #choose(chosen: Subscribers, subscribers: Subscribers | undefined, { clientId }: Publication): void {
    if (subscribers === undefined) return;
    for (const [session, options] of subscribers) {
      if (options.noLocal && session.clientId === clientId) continue;
      const other = chosen.get(session);
      chosen.set(session, {
        qos: other?.qos === 1 ? 1 : options.qos,
        noLocal: options.noLocal,
        retainAsPublished: options.retainAsPublished || other?.retainAsPublished === true,
      });
    }
  }

  #table(filter: string): Map<string, Subscribers> {
    return /[+#]/.test(filter) ? this.#wildcard : this.#exact;
  }

  #group(text: string, { filter }: ParsedFilter): ShareGroup {
    const group = this.#groups.get(text) ?? new ShareGroup(filter);
    this.#groups.set(text, group);
    return group;
  }

  // A full queue of one subscriber must not keep the message from the others.
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#onError(error as Error);
    }
  }
}
