import { Session } from './session.ts';
import type { Subscriptions } from './subscriptions.ts';

/** The sessions by client id; those without a connection end when they expire. */
export class Sessions {
  readonly #subscriptions: Subscriptions;
  readonly #now: () => number;
  readonly #byClient = new Map<string, Session>();
  readonly #expiries = new Map<Session, NodeJS.Timeout>();

  constructor(subscriptions: Subscriptions, now: () => number) {
    this.#subscriptions = subscriptions;
    this.#now = now;
  }

  /** The client's session; `present` when it is the one it had before. */
  open(clientId: string, clean: boolean, expirySeconds: number): { session: Session; present: boolean } {
    const known = this.#byClient.get(clientId);
    if (known !== undefined && !clean) {
      this.#keep(known);
      known.expirySeconds = expirySeconds;
      return { session: known, present: true };
    }
    if (known !== undefined) this.end(known);
    const session = new Session(clientId, expirySeconds, this.#now);
    this.#byClient.set(clientId, session);
    return { session, present: false };
  }

  /** The connection is gone. */
  release(session: Session): void {
    session.detach();
    if (!session.persistent) {
      this.end(session);
      return;
    }
    const expiry = setTimeout(() => this.end(session), session.expirySeconds * 1000).unref();
    this.#expiries.set(session, expiry);
  }

  end(session: Session): void {
    this.#keep(session);
    if (this.#byClient.get(session.clientId) === session) this.#byClient.delete(session.clientId);
    this.#subscriptions.removeAll(session);
  }

  close(): void {
    for (const expiry of this.#expiries.values()) clearTimeout(expiry);
    this.#expiries.clear();
  }

  #keep(session: Session): void {
    clearTimeout(this.#expiries.get(session));
    this.#expiries.delete(session);
  }
}
