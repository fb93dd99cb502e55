import { Fifo } from '../../fifo.ts';
import { quotas } from './limits.ts';
import { expiresAt, type Publication } from './publication.ts';
import type { Session } from './session.ts';

/** The subscribers of one `$share/<name>/<filter>`: a message goes to one of them, at random as AWS does. */
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

  /** True when the session was not a member yet. */
  add(session: Session, qos: 0 | 1): boolean {
    const fresh = !this.#members.has(session);
    this.#members.set(session, qos);
    return fresh;
  }

  remove(session: Session): void {
    this.#members.delete(session);
  }

  /** With every member offline a QoS 1 message waits, if some member's session will come back for it. */
  deliver(publication: Publication): void {
    const members = [...this.#members.keys()];
    const online = members.filter((session) => session.online);
    const chosen = online[Math.floor(Math.random() * online.length)];
    if (chosen !== undefined) {
      this.#offer(chosen, publication);
    } else if (publication.qos === 1 && members.some((session) => session.persistent)) {
      if (this.#queue.length >= quotas.queuedMessages) {
        throw new Error(`queue of the shared subscription ${this.filter} is full: message dropped`);
      }
      this.#queue.push(publication);
    }
  }

  /** A member came online: what waited for the group is its to have. */
  serve(session: Session, now: number): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (expiresAt(next) > now) this.#offer(session, next);
    }
  }

  #offer(session: Session, publication: Publication): void {
    const qos = publication.qos === 1 && this.#members.get(session) === 1 ? 1 : 0;
    session.offer({ publication, qos, retain: false, share: this });
  }
}
