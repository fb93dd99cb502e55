import { RetryLater } from '../../../core/errors.ts';
import type { Clock } from '../../../net/clock.ts';
import { CREDENTIALS_TTL_MS, credentialsCache } from '../../../net/credentials.ts';
import type { Credentials, CredentialsSource } from '../credentials.ts';
import { isCredentialsRefusal } from './classify.ts';
import type { Client } from './client.ts';
import { NoAnswerError } from './errors.ts';

/** One client at a time, which is replaced. A client that was replaced closes when its last call has ended. */
export interface Clients {
  /**
   * Calls servers by the current client. When they refuse its credentials, and the credentials have changed, a new client makes
   * the call a second time.
   *
   * @throws RetryLater when closed; what reading the credentials throws; what `call` throws
   */
  use<Result>(call: (client: Client) => Promise<Result>): Promise<Result>;
  /** Closes all clients, also those in use. */
  close(): void;
}

export interface ClientsOptions {
  readonly endpoints: readonly string[];
  readonly credentials: CredentialsSource | undefined;
  readonly open: (endpoint: string, credentials: Credentials | undefined) => Client;
  readonly clock: Clock;
}

/** Calls in a row without an answer, after which a client is replaced: a frozen sandbox may have lost its connection. */
const MAX_FAILURES = 3;
/** A younger client is not replaced for failures: it may still connect. */
const LEAST_AGE_MS = 1_000;
/** A client that was idle for longer is replaced: a frozen sandbox does not notice that a server closes its connection. */
const IDLE_MS = 60_000;

interface Entry {
  readonly client: Client;
  readonly credentials: Credentials | undefined;
  readonly openedAtMs: number;
  usedAtMs: number;
  users: number;
  failures: number;
}

export function openClients({ endpoints, credentials, open, clock }: ClientsOptions): Clients {
  const kept = credentials && credentialsCache(credentials, clock);
  const entries = new Set<Entry>();
  let current: Entry | undefined;
  // Workers that start together begin with different proxies.
  let turn = Math.floor(Math.random() * endpoints.length);
  let isClosed = false;

  function openEntry(known: Credentials | undefined): Entry {
    const now = clock.wallMs();
    const client = open(endpoints[turn++ % endpoints.length]!, known);
    const entry = { client, credentials: known, openedAtMs: now, usedAtMs: now, users: 0, failures: 0 };
    entries.add(entry);
    return entry;
  }

  function replace(entry: Entry): void {
    if (current === entry) current = undefined;
    if (entry.users === 0 && entries.delete(entry)) entry.client.close();
  }

  function isSpent({ failures, openedAtMs }: Entry): boolean {
    return failures >= MAX_FAILURES && clock.wallMs() - openedAtMs >= LEAST_AGE_MS;
  }

  /** A client keeps the routes that it has queried. */
  function isOld({ openedAtMs, usedAtMs, users }: Entry): boolean {
    const now = clock.wallMs();
    return now - openedAtMs >= CREDENTIALS_TTL_MS || (users === 0 && now - usedAtMs >= IDLE_MS);
  }

  async function use<Result>(call: (client: Client) => Promise<Result>, isSecond = false): Promise<Result> {
    const known = await kept?.current();
    if (isClosed) throw new RetryLater('the producer is closed');
    if (current !== undefined && (isOld(current) || !areSame(known, current.credentials))) replace(current);
    current ??= openEntry(known);
    const entry = current;
    entry.users++;
    try {
      const result = await call(entry.client);
      entry.failures = 0;
      return result;
    } catch (error) {
      entry.failures = error instanceof NoAnswerError ? entry.failures + 1 : 0;
      const isRefused = isCredentialsRefusal(error) && !isSecond;
      if (!isRefused || !(await kept?.renew((read) => areSame(read, entry.credentials)))) throw error;
    } finally {
      entry.users--;
      entry.usedAtMs = clock.wallMs();
      if (entry !== current || isSpent(entry)) replace(entry);
    }
    return use(call, true);
  }

  return {
    use: (call) => use(call),
    close() {
      isClosed = true;
      for (const { client } of entries) client.close();
      entries.clear();
    },
  };
}

function areSame(one: Credentials | undefined, other: Credentials | undefined): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
