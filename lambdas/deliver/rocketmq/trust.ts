import { RetryLater, StopTask } from '../../core/errors.ts';
import { type Clock, systemClock } from '../net/clock.ts';
import type { Outcome } from '../sink.ts';
import type { SinkProducer } from './producer.ts';
import { toOutcome } from './remoting/outcome.ts';

export interface TrustOptions {
  /** The certificate authorities of now, in PEM. */
  readonly readAuthority: () => Promise<string>;
  readonly open: (ca: string) => Promise<SinkProducer>;
  /** Whether it was for want of trust, or of TLS. */
  readonly isTlsFailure: (error: unknown) => boolean;
  /** @default - the machine's */
  readonly clock?: Clock;
}

/** Reading a secret costs money and has limits. */
const RENEW_EVERY_MS = 1_000;

interface Entry {
  readonly ca: string;
  readonly producer: SinkProducer;
  users: number;
}

/**
 * A producer for authorities that may be rotated: they are read anew when a server is not trusted by those of now. Where they
 * are others then, a producer that trusts those takes its place, and what was refused is tried once more.
 *
 * @throws what reading and opening throw
 */
export async function openTrusting(options: TrustOptions): Promise<SinkProducer> {
  const { readAuthority, open, isTlsFailure, clock = systemClock } = options;
  const entries = new Set<Entry>();
  let current = await openEntry(await readAuthority());
  let renewing: Promise<void> | undefined;
  let renewedAtMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  async function openEntry(ca: string): Promise<Entry> {
    const entry = { ca, producer: await open(ca), users: 0 };
    entries.add(entry);
    return entry;
  }

  function closeUnused(entry: Entry): void {
    if (entry !== current && entry.users === 0 && entries.delete(entry)) entry.producer.close();
  }

  async function use<Result>(entry: Entry, run: (producer: SinkProducer) => Promise<Result>): Promise<Result> {
    entry.users++;
    try {
      return await run(entry.producer);
    } finally {
      entry.users--;
      closeUnused(entry);
    }
  }

  /** Whether there are others by now than this one trusts. */
  async function renew(refused: Entry): Promise<boolean> {
    if (current === refused && renewing === undefined && clock.monotonicMs() - renewedAtMs >= RENEW_EVERY_MS) {
      renewedAtMs = clock.monotonicMs();
      renewing = replace().finally(() => {
        renewing = undefined;
      });
    }
    await renewing;
    return current !== refused;
  }

  async function replace(): Promise<void> {
    const ca = await readAuthority();
    if (ca === current.ca || isClosed) return;
    const old = current;
    current = await openEntry(ca);
    closeUnused(old);
    if (isClosed) close();
  }

  function close(): void {
    isClosed = true;
    for (const { producer } of entries) producer.close();
    entries.clear();
  }

  return {
    async send(topic, messages, sendOptions) {
      const held = current;
      const outcomes = [...(await use(held, ({ send }) => send(topic, messages, sendOptions)))];
      // What was left behind one of these stays so: it has an order.
      const refused = outcomes.flatMap((one, i) => (one.status === 'stop' && isTlsFailure(one.error.cause) ? [i] : []));
      if (refused.length === 0) return outcomes;
      let again: readonly Outcome[];
      try {
        if (!(await renew(held))) return outcomes;
        const own = refused.map((i) => messages[i]!);
        again = await use(current, ({ send }) => send(topic, own, sendOptions));
      } catch (error) {
        if (!(error instanceof StopTask || error instanceof RetryLater)) throw error;
        again = refused.map(() => toOutcome(error));
      }
      refused.forEach((i, n) => {
        outcomes[i] = again[n]!;
      });
      return outcomes;
    },
    async testConnectivity(topic) {
      const held = current;
      try {
        return await use(held, ({ testConnectivity }) => testConnectivity(topic));
      } catch (error) {
        if (!isTlsFailure((error as Error).cause) || !(await renew(held))) throw error;
      }
      return use(current, ({ testConnectivity }) => testConnectivity(topic));
    },
    close,
  };
}
