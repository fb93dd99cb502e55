import type { Envelope } from '../../core/envelope.ts';
import type { Clock } from '../../net/clock.ts';

/** Stores envelopes in a task's buffer. @returns for each whether it is stored. It never throws. */
export type Store = (envelopes: readonly Envelope[]) => Promise<readonly boolean[]>;

export interface IntakeOptions {
  readonly store: Store;
  /** Calls of `store` at a time; one for a buffer that keeps an order. */
  readonly maxCalls: number;
  /** Messages per call. */
  readonly maxMessages: number;
  /** Messages that the broker may send without an acknowledgement. */
  readonly window: number;
  /**
   * Called when more messages than the window wait, and when half of them have their acknowledgement. A broker that keeps to the
   * window never has to wait.
   */
  readonly onFull: (isFull: boolean) => void;
  readonly clock: Pick<Clock, 'sleep'>;
}

/** Received messages until the buffer has stored them. A message is acknowledged once it is stored, and in the order of receipt. */
export interface Intake {
  receive(envelope: Envelope, acknowledge: () => void): void;
  /** Messages that have not been acknowledged. */
  readonly waiting: number;
  /** Resolves when every received message has been acknowledged, or {@link drop} has ended. */
  drained(): Promise<void>;
  /**
   * Forgets the messages that no call has begun to store: the broker sends them again. Resolves when the calls that have begun have
   * ended; messages that they store are still acknowledged.
   */
  drop(): Promise<void>;
}

interface Message {
  readonly envelope: Envelope;
  readonly acknowledge: () => void;
  isStored: boolean;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export function openIntake({ store, maxCalls, maxMessages, window, onFull, clock }: IntakeOptions): Intake {
  /** In the order of receipt (MQTT 5, section 4.6, asks for acknowledgements in that order). */
  let unacknowledged: Message[] = [];
  let acknowledgedUpTo = 0;
  let pending: Message[] = [];
  /** Batches that are being stored; between two attempts at one, no call runs. */
  let batches = 0;
  let calls = 0;
  let isFull = false;
  let isDropped = false;
  let onDrained: (() => void)[] = [];

  function waiting(): number {
    return unacknowledged.length - acknowledgedUpTo;
  }

  function isDrained(): boolean {
    return isDropped ? calls === 0 : waiting() === 0;
  }

  function acknowledgeStored(): void {
    while (unacknowledged[acknowledgedUpTo]?.isStored) unacknowledged[acknowledgedUpTo++]!.acknowledge();
    // The list is shortened in large pieces, so that a message costs constant time.
    if (acknowledgedUpTo > 1_024 || acknowledgedUpTo === unacknowledged.length) {
      unacknowledged = unacknowledged.slice(acknowledgedUpTo);
      acknowledgedUpTo = 0;
    }
    if (isDrained()) {
      for (const resolve of onDrained) resolve();
      onDrained = [];
    }
    if (isFull && waiting() <= window / 2) {
      isFull = false;
      onFull(false);
    }
  }

  function startBatches(): void {
    while (batches < maxCalls && pending.length > 0) {
      const batch = pending.slice(0, maxMessages);
      pending = pending.slice(maxMessages);
      batches++;
      void storeAll(batch).finally(() => {
        batches--;
        startBatches();
      });
    }
  }

  /** Stores a batch, however often that takes: an unacknowledged message is safe in the broker's session. */
  async function storeAll(batch: readonly Message[]): Promise<void> {
    let owed = batch;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      calls++;
      const stored = await store(owed.map(({ envelope }) => envelope));
      calls--;
      for (const [index, message] of owed.entries()) if (stored[index]) message.isStored = true;
      acknowledgeStored();
      owed = owed.filter((message) => !message.isStored);
      if (owed.length === 0 || isDropped) return;
      await clock.sleep(pauseMs);
      if (isDropped) return;
    }
  }

  function drained(): Promise<void> {
    if (isDrained()) return Promise.resolve();
    return new Promise((resolve) => onDrained.push(resolve));
  }

  return {
    receive(envelope, acknowledge) {
      if (isDropped) return;
      const message = { envelope, acknowledge, isStored: false };
      unacknowledged.push(message);
      pending.push(message);
      if (!isFull && waiting() > window) {
        isFull = true;
        onFull(true);
      }
      // Messages of one read are stored together.
      if (batches < maxCalls) queueMicrotask(startBatches);
    },
    get waiting() {
      return waiting();
    },
    drained,
    drop() {
      isDropped = true;
      pending = [];
      // Nobody stores the rest, so that nobody need wait for it.
      acknowledgeStored();
      return drained();
    },
  };
}
