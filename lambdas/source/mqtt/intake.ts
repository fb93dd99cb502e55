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
  /** Called when as many messages as this wait for their acknowledgement, and when half of them have it. */
  readonly window: number;
  readonly onFull: (isFull: boolean) => void;
  readonly clock: Pick<Clock, 'sleep'>;
}

/** Received messages until the buffer has stored them. A message is acknowledged once it is stored, and in the order of receipt. */
export interface Intake {
  receive(envelope: Envelope, acknowledge: () => void): void;
  /** Messages that have not been acknowledged. */
  readonly waiting: number;
  /** Resolves when every received message has been acknowledged. */
  drained(): Promise<void>;
  /** Forgets the messages that no call has begun to store: the broker sends them again. */
  drop(): void;
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
  let calls = 0;
  let isFull = false;
  let isDropped = false;
  let onDrained: (() => void)[] = [];

  function acknowledgeStored(): void {
    while (unacknowledged[acknowledgedUpTo]?.isStored) unacknowledged[acknowledgedUpTo++]!.acknowledge();
    // The list is shortened in large pieces, so that a message costs constant time.
    if (acknowledgedUpTo > 1_024 || acknowledgedUpTo === unacknowledged.length) {
      unacknowledged = unacknowledged.slice(acknowledgedUpTo);
      acknowledgedUpTo = 0;
    }
    if (waiting() === 0) {
      for (const resolve of onDrained) resolve();
      onDrained = [];
    }
    if (isFull && waiting() <= window / 2) {
      isFull = false;
      onFull(false);
    }
  }

  function waiting(): number {
    return unacknowledged.length - acknowledgedUpTo;
  }

  function startCalls(): void {
    while (calls < maxCalls && pending.length > 0) {
      const batch = pending.slice(0, maxMessages);
      pending = pending.slice(maxMessages);
      calls++;
      void storeAll(batch).finally(() => {
        calls--;
        startCalls();
      });
    }
  }

  /** Stores a batch, however often that takes: an unacknowledged message is safe in the broker's session. */
  async function storeAll(batch: readonly Message[]): Promise<void> {
    let owed = batch;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const stored = await store(owed.map(({ envelope }) => envelope));
      for (const [index, message] of owed.entries()) if (stored[index]) message.isStored = true;
      acknowledgeStored();
      owed = owed.filter((message) => !message.isStored);
      if (owed.length === 0 || isDropped) return;
      await clock.sleep(pauseMs);
      if (isDropped) return;
    }
  }

  return {
    receive(envelope, acknowledge) {
      if (isDropped) return;
      const message = { envelope, acknowledge, isStored: false };
      unacknowledged.push(message);
      pending.push(message);
      if (!isFull && waiting() >= window) {
        isFull = true;
        onFull(true);
      }
      // Messages of one read are stored together.
      if (calls < maxCalls) queueMicrotask(startCalls);
    },
    get waiting() {
      return waiting();
    },
    drained() {
      if (waiting() === 0) return Promise.resolve();
      return new Promise((resolve) => onDrained.push(resolve));
    },
    drop() {
      isDropped = true;
      pending = [];
      unacknowledged = [];
      acknowledgedUpTo = 0;
      for (const resolve of onDrained) resolve();
      onDrained = [];
    },
  };
}
