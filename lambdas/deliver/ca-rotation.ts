import { RetryLater, StopTask } from '../core/errors.ts';
import { type Clock, systemClock } from '../net/clock.ts';
import { failure } from './outcome.ts';
import { isSettled, type Outcome, type Sink } from './sink.ts';

export interface CaRotationOptions<Request> {
  /** Reads the current certificate authorities, in PEM. */
  readonly readAuthorities: () => Promise<string>;
  /** Opens a sink that trusts these certificate authorities. */
  readonly open: (ca: string) => Sink<Request>;
  readonly isTlsFailure: (error: unknown) => boolean;
  /** @default - the system's */
  readonly clock?: Clock;
}

/** Each read of a secret costs money and counts against a quota. */
const RENEW_EVERY_MS = 1_000;

interface Entry<Request> {
  readonly ca: string;
  readonly sink: Sink<Request>;
  users: number;
}

/**
 * A sink whose certificate authorities may be rotated. When a server's certificate is not trusted, it reads the authorities
 * again; if they have changed, a sink with the new ones replaces the old one, and sends the refused requests once more.
 * Until the authorities have been read for the first time, its methods throw what reading them throws.
 */
export function rotatingAuthorities<Request>(options: CaRotationOptions<Request>): Sink<Request> {
  const { readAuthorities, open, isTlsFailure, clock = systemClock } = options;
  const entries = new Set<Entry<Request>>();
  let current: Entry<Request> | undefined;
  let opening: Promise<Entry<Request>> | undefined;
  let renewing: Promise<void> | undefined;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  function openEntry(ca: string): Entry<Request> {
    const entry = { ca, sink: open(ca), users: 0 };
    entries.add(entry);
    current = entry;
    return entry;
  }

  async function currentEntry(): Promise<Entry<Request>> {
    if (current !== undefined) return current;
    opening ??= readAuthorities()
      .then(openEntry)
      .finally(() => {
        opening = undefined;
      });
    return opening;
  }

  async function closeUnused(entry: Entry<Request>): Promise<void> {
    if (entry !== current && entry.users === 0 && entries.delete(entry)) await entry.sink.close();
  }

  async function use<Result>(entry: Entry<Request>, run: (sink: Sink<Request>) => Promise<Result>): Promise<Result> {
    entry.users++;
    try {
      return await run(entry.sink);
    } finally {
      entry.users--;
      await closeUnused(entry);
    }
  }

  /** @returns whether another sink has taken the place of the one that was refused. */
  async function renew(refused: Entry<Request>): Promise<boolean> {
    if (current === refused && renewing === undefined && clock.monotonicMs() - renewedAtMs >= RENEW_EVERY_MS) {
      renewedAtMs = clock.monotonicMs();
      renewing = replace(refused).finally(() => {
        renewing = undefined;
      });
    }
    await renewing;
    return current !== refused;
  }

  async function replace(old: Entry<Request>): Promise<void> {
    const ca = await readAuthorities();
    if (ca === old.ca || isClosed) return;
    openEntry(ca);
    await closeUnused(old);
  }

  const isRefused = (outcome: Outcome) => outcome.status === 'stop' && isTlsFailure(outcome.error.cause);

  return {
    async deliver(requests, context) {
      const entry = await currentEntry();
      const outcomes = [...(await use(entry, (sink) => sink.deliver(requests, context)))];
      const refused = indicesOf(outcomes, isRefused);
      if (refused.length === 0) return outcomes;
      try {
        if (!(await renew(entry))) return outcomes;
        const again = toSendAgain(outcomes, refused);
        const results = await use(current!, (sink) =>
          sink.deliver(
            again.map((i) => requests[i]!),
            context,
          ),
        );
        for (const [n, i] of again.entries()) outcomes[i] = results[n]!;
      } catch (error) {
        for (const i of refused) outcomes[i] = failure(error);
      }
      return outcomes;
    },
    async testConnectivity(targets) {
      const entry = await currentEntry();
      try {
        return await use(entry, (sink) => sink.testConnectivity(targets));
      } catch (error) {
        const isFailure = error instanceof StopTask || error instanceof RetryLater;
        if (!isFailure || !isTlsFailure(error.cause) || !(await renew(entry))) throw error;
      }
      return use(current!, (sink) => sink.testConnectivity(targets));
    },
    async close() {
      isClosed = true;
      const closing = [...entries].map(({ sink }) => sink.close());
      entries.clear();
      await Promise.all(closing);
    },
  };
}

/** Requests left unsent are sent, too, if nothing but refused requests holds them back. */
function toSendAgain(outcomes: readonly Outcome[], refused: readonly number[]): readonly number[] {
  const owed = indicesOf(outcomes, (outcome) => !isSettled(outcome));
  const unsent = indicesOf(outcomes, ({ status }) => status === 'unsent');
  return owed.length === refused.length + unsent.length ? owed : refused;
}

function indicesOf(outcomes: readonly Outcome[], isWanted: (outcome: Outcome) => boolean): number[] {
  return outcomes.flatMap((outcome, i) => (isWanted(outcome) ? [i] : []));
}
