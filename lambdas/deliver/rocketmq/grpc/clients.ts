import type { Clock } from '../../net/clock.ts';
import { CREDENTIALS_TTL_MS, credentialsCache } from '../../net/credentials.ts';
import type { Credentials, CredentialsSource } from '../credentials.ts';
import { isConnectionFailure, isRouteAtFault } from './classify.ts';
import type { Client } from './client.ts';

/** The client of now. One that is replaced ends once the last that uses it is done. */
export interface Clients {
  /** @throws what reading credentials throws, when there are none yet. */
  acquire(): Promise<Held>;
  /** Ends what is in flight. */
  close(): void;
}

/** A client in use. */
export interface Held {
  readonly client: Client;
  /** Reads credentials anew after the server has refused the client's; whether there are others, for another client. */
  renew(): Promise<boolean>;
  /** @param error Why it was of no use. */
  release(error?: unknown): void;
}

export interface ClientsOptions {
  readonly endpoints: readonly string[];
  readonly credentials: CredentialsSource | undefined;
  readonly open: (endpoint: string, credentials: Credentials | undefined) => Promise<Client>;
  readonly clock: Clock;
}

/** So many calls in a row without an answer, and the connection is given up: a frozen sandbox may have lost it. */
const MAX_FAILURES = 3;
/** Time that a client has to connect again by itself. */
const LEAST_AGE_MS = 1_000;
/** A route is not asked for anew more often because of what messages want of it. */
const ROUTE_MS = 30_000;
/** A connection unused for longer is not used again: a frozen sandbox does not notice how servers close it. */
const IDLE_MS = 60_000;

interface Entry {
  readonly client: Client;
  readonly credentials: Credentials | undefined;
  readonly openedAtMs: number;
  usedAtMs: number;
  users: number;
  failures: number;
  isReplaced: boolean;
}

export function openClients({ endpoints, credentials, open, clock }: ClientsOptions): Clients {
  const kept = credentials && credentialsCache(credentials, clock);
  // The one that is not replaced.
  let current: Promise<Entry> | undefined;
  // Workers that start together begin with different proxies.
  let turn = Math.floor(Math.random() * endpoints.length);

  function opened(): Promise<Entry> {
    if (current !== undefined) return current;
    const opening = openNext();
    current = opening;
    opening.catch(() => {
      if (current === opening) current = undefined;
    });
    return opening;
  }

  async function openNext(): Promise<Entry> {
    const known = await kept?.current();
    const client = await open(endpoints[turn++ % endpoints.length]!, known);
    const now = clock.wallMs();
    return { client, credentials: known, openedAtMs: now, usedAtMs: now, users: 0, failures: 0, isReplaced: false };
  }

  /** Nobody else gets it; whoever releases it last comes here once more. */
  function replace(entry: Entry): void {
    if (!entry.isReplaced) {
      entry.isReplaced = true;
      current = undefined;
    }
    if (entry.users === 0) entry.client.close();
  }

  function hold(entry: Entry): Held {
    entry.users++;
    entry.usedAtMs = clock.wallMs();
    return {
      client: entry.client,
      async renew() {
        const refused = JSON.stringify(entry.credentials);
        if (!(await kept?.renew((known) => JSON.stringify(known) === refused))) return false;
        if (!entry.isReplaced) replace(entry);
        return true;
      },
      release(error) {
        entry.users--;
        entry.usedAtMs = clock.wallMs();
        entry.failures = isConnectionFailure(error) ? entry.failures + 1 : 0;
        if (entry.isReplaced || (error !== undefined && isSpent(entry, error))) replace(entry);
      },
    };
  }

  function isSpent({ failures, openedAtMs }: Entry, error: unknown): boolean {
    const ageMs = clock.wallMs() - openedAtMs;
    return (failures >= MAX_FAILURES && ageMs >= LEAST_AGE_MS) || (isRouteAtFault(error) && ageMs >= ROUTE_MS);
  }

  /** Routes and credentials are kept by a client for good. */
  function isOld({ openedAtMs, usedAtMs, users }: Entry): boolean {
    const now = clock.wallMs();
    return now - openedAtMs >= CREDENTIALS_TTL_MS || (users === 0 && now - usedAtMs >= IDLE_MS);
  }

  return {
    async acquire() {
      let entry = await opened();
      while (entry.isReplaced || isOld(entry)) {
        if (!entry.isReplaced) replace(entry);
        entry = await opened();
      }
      return hold(entry);
    },
    close() {
      current?.then(
        (entry) => {
          entry.isReplaced = true;
          entry.client.close();
        },
        () => {}, // who asked for it has been told
      );
      current = undefined;
    },
  };
}
