import { Fifo } from '../../fifo.ts';
import { quotas } from './limits.ts';
import { expiresAt, type Publication } from './publication.ts';
import type { Session } from './session.ts';

/** The subscribers of one `$share/<name>/<filter>`. A message goes to one of them, chosen at random as on AWS. */
export class ShareGroup {
  readonly filter: string;
  readonly #members = new Map<Session, 0 | 1>();
  readonly #queue = new Fifo<Publication>();

  constructor(filter: string) {
    this.filter = filter;
  }

  get empty(): boolean {
    return this.#members.size === 0;
  }

  /** Returns whether the session is a new member. */
  add(session: Session, qos: 0 | 1): boolean {
    const fresh = !this.#members.has(session);
    this.#members.set(session, qos);
    return fresh;
  }

  remove(session: Session): void {
    this.#members.delete(session);
  }

  /** A QoS 1 message is queued when all members are offline and at least one session is persistent. */
  deliver(publication: Publication): void {
    const members = [...this.#members.keys()];
    const online = members.filter((session) => session.online);
    const chosen = online[Math.floor(Math.random() * online.length)];
    if (chosen !== undefined) {
      this.#deliverTo(chosen, publication);
    } else if (publication.qos === 1 && members.some((session) => session.persistent)) {
      if (this.#queue.length >= quotas.queuedMessages) {
        throw new Error(
          `shared subscription ${this.filter}: message dropped, its queue holds ${quotas.queuedMessages} messages`,
        );
      }
      this.#queue.push(publication);
    }
  }

  /** Delivers the group's queued messages to a member that came online. */
  deliverQueued(session: Session, now: number): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (expiresAt(next) > now) this.#deliverTo(session, next);
    }
  }

  #deliverTo(session: Session, publication: Publication): void {
    const qos = publication.qos === 1 && this.#members.get(session) === 1 ? 1 : 0;
    session.deliver({ publication, qos, retain: false, share: this });
  }
}
