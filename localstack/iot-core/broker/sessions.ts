import { Session } from './session.ts';
import type { Subscriptions } from './subscriptions.ts';

/** The sessions by client id. A session without a connection ends when it expires. */
export class Sessions {
  readonly #subscriptions: Subscriptions;
  readonly #now: () => number;
  readonly #byClient = new Map<string, Session>();
  readonly #expiries = new Map<Session, NodeJS.Timeout>();

  constructor(subscriptions: Subscriptions, now: () => number) {
    this.#subscriptions = subscriptions;
    this.#now = now;
  }

  /** Resumes or creates the client's session; `present` when it is resumed. */
  open(clientId: string, clean: boolean, expirySeconds: number): { session: Session; present: boolean } {
    const known = this.#byClient.get(clientId);
    if (known !== undefined && !clean) {
      this.#cancelExpiry(known);
      known.expirySeconds = expirySeconds;
      return { session: known, present: true };
    }
    if (known !== undefined) this.end(known);
    const session = new Session(clientId, expirySeconds, this.#now);
    this.#byClient.set(clientId, session);
    return { session, present: false };
  }

  /** Detaches the session from its connection, and ends it now or when it expires. */
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
    this.#cancelExpiry(session);
    if (this.#byClient.get(session.clientId) === session) this.#byClient.delete(session.clientId);
    this.#subscriptions.removeAll(session);
  }

  close(): void {
    for (const expiry of this.#expiries.values()) clearTimeout(expiry);
    this.#expiries.clear();
  }

  #cancelExpiry(session: Session): void {
    clearTimeout(this.#expiries.get(session));
    this.#expiries.delete(session);
  }
}
