import { Fifo } from '../../fifo.ts';
import { type Clock, systemClock } from '../clock.ts';
import { Deadlines } from './deadlines.ts';
import {
  type NewMessage,
  newMessage,
  type PeekedMessage,
  peekedMessage,
  type ReceivedMessage,
  receivedMessage,
  type StoredMessage,
} from './message.ts';
import { Receipts } from './receipts.ts';
import { checkWhole, SqsError } from './sqs-error.ts';

export interface QueueOptions {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  /** How long a received message stays in flight, 0 to 43,200. @default 30 */
  readonly visibilityTimeoutSeconds?: number;
  /** How long a new message is delayed, 0 to 900. @default 0 */
  readonly delaySeconds?: number;
  /** How long the queue keeps a message, 60 to 1,209,600. @default 345,600, four days */
  readonly retentionSeconds?: number;
  /** Moves a message to a dead-letter queue after `maxReceiveCount` receives, 1 to 1,000. @default - no dead-letter queue */
  readonly redrive?: { readonly deadLetterQueue: Queue; readonly maxReceiveCount: number };
  /** The most messages in flight. @default 120,000, as in SQS */
  readonly maxInFlight?: number;
  /** @default - the system clock */
  readonly clock?: Clock;
}

export interface QueueCounts {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** The most messages in flight in a standard queue (Amazon SQS, "Amazon SQS standard queue quotas"). */
export const MAX_IN_FLIGHT = 120_000;
const MAX_VISIBILITY_SECONDS = 43_200;
const MAX_DELAY_SECONDS = 900;

/**
 * A standard SQS queue in memory. Each operation first applies the timeouts that have ended. A timer runs only while there
 * are listeners.
 */
export class Queue {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  readonly visibilityTimeoutSeconds: number;
  readonly delaySeconds: number;
  readonly retentionSeconds: number;
  readonly redrive: QueueOptions['redrive'];
  readonly #maxInFlight: number;
  readonly #clock: Clock;
  /** Visible messages in order. Deleted ones stay until they reach the front. */
  readonly #visible = new Fifo<StoredMessage>();
  #visibleCount = 0;
  readonly #hidden = new Deadlines<StoredMessage>();
  readonly #expiring = new Deadlines<StoredMessage>();
  readonly #receipts = new Receipts();
  readonly #listeners = new Set<() => void>();
  #inFlight = 0;
  #hasNewVisible = false;
  #timer: { at: number; cancel: () => void } | undefined;

  constructor(options: QueueOptions) {
    this.name = options.name;
    this.arn = options.arn;
    this.url = options.url;
    this.visibilityTimeoutSeconds = options.visibilityTimeoutSeconds ?? 30;
    this.delaySeconds = options.delaySeconds ?? 0;
    this.retentionSeconds = options.retentionSeconds ?? 4 * 86_400;
    this.redrive = options.redrive;
    this.#maxInFlight = options.maxInFlight ?? MAX_IN_FLIGHT;
    this.#clock = options.clock ?? systemClock;
    checkWhole('maxInFlight', this.#maxInFlight, 1, MAX_IN_FLIGHT);
    checkWhole('VisibilityTimeout', this.visibilityTimeoutSeconds, 0, MAX_VISIBILITY_SECONDS);
    checkWhole('DelaySeconds', this.delaySeconds, 0, MAX_DELAY_SECONDS);
    checkWhole('MessageRetentionPeriod', this.retentionSeconds, 60, 14 * 86_400);
    if (this.redrive) checkWhole('maxReceiveCount', this.redrive.maxReceiveCount, 1, 1000);
  }

  /** Adds a message. @throws SqsError as SQS does. */
  send(message: NewMessage): { readonly messageId: string } {
    const delaySeconds = message.delaySeconds ?? this.delaySeconds;
    checkWhole('DelaySeconds', delaySeconds, 0, MAX_DELAY_SECONDS);
    return this.#operate((now) => {
      const stored = newMessage(message, now);
      stored.expiry = this.#expiring.add(now + this.retentionSeconds * 1000, stored);
      if (delaySeconds > 0) this.#hide(stored, 'delayed', now + delaySeconds * 1000);
      else this.#show(stored);
      return { messageId: stored.messageId };
    });
  }

  /** Receives at most `max` messages. One that reached `maxReceiveCount` moves to the dead-letter queue instead. */
  receive(max: number): ReceivedMessage[] {
    return this.#operate((now) => {
      const received: ReceivedMessage[] = [];
      while (received.length < max && this.#inFlight < this.#maxInFlight) {
        const message = this.#visible.shift();
        if (message === undefined) break;
        if (message.state === 'deleted') continue;
        if (this.redrive && message.receivesFromQueue >= this.redrive.maxReceiveCount) {
          this.#remove(message);
          this.redrive.deadLetterQueue.#addDeadLetter(message, this.arn);
        } else {
          received.push(this.#receive(message, now));
        }
      }
      return received;
    });
  }

  /** Deletes a message by its latest handle. As in SQS, an older handle or a second delete has no effect. */
  delete(receiptHandle: string): void {
    this.#operate(() => {
      const message = this.#receipts.find(receiptHandle);
      if (message) this.#remove(message);
    });
  }

  /** Sets the visibility timeout of a message in flight, counted from now. 0 returns it to the queue. */
  changeVisibility(receiptHandle: string, seconds: number): void {
    checkWhole('VisibilityTimeout', seconds, 0, MAX_VISIBILITY_SECONDS);
    this.#operate((now) => {
      const message = this.#receipts.find(receiptHandle);
      if (message?.state !== 'inFlight') {
        throw new SqsError(
          'MessageNotInflight',
          'The message was deleted, is visible again, or is in flight with a newer handle',
        );
      }
      const until = now + seconds * 1000;
      if (until - message.receivedAt > MAX_VISIBILITY_SECONDS * 1000) {
        throw new SqsError(
          'InvalidParameterValue',
          `VisibilityTimeout: got ${seconds}; expected an end within ${MAX_VISIBILITY_SECONDS} s of the receive`,
        );
      }
      this.#endState(message);
      if (seconds > 0) this.#hide(message, 'inFlight', until);
      else this.#show(message);
    });
  }

  /**
   * Calls `listener` when messages become available. The call happens within the operation that made them available, so the
   * listener must receive them in a later turn.
   *
   * @returns a function that removes the listener
   */
  onAvailable(listener: () => void): () => void {
    // A wrapper, so that the same function can be added twice.
    const entry = () => listener();
    this.#operate(() => this.#listeners.add(entry));
    return () => this.#operate(() => void this.#listeners.delete(entry));
  }

  /** SQS's ApproximateNumberOfMessages attributes, as exact numbers. */
  get counts(): QueueCounts {
    return this.#operate(() => ({
      visible: this.#visibleCount,
      inFlight: this.#inFlight,
      delayed: this.#hidden.size - this.#inFlight,
    }));
  }

  /** Whole seconds since the oldest message was sent; 0 for an empty queue. */
  oldestAgeSeconds(): number {
    return this.#operate((now) => Math.floor((now - (this.#expiring.next?.item.sentAt ?? now)) / 1000));
  }

  /** All messages, the next to be received first. Does not count as a receive. */
  peek(): readonly PeekedMessage[] {
    return this.#operate(() =>
      [...this.#visible, ...this.#hidden.inOrder()].flatMap((message) =>
        message.state === 'deleted' ? [] : [peekedMessage(message, message.state)],
      ),
    );
  }

  /** Applies the timeouts that have ended, runs the operation, then calls the listeners. */
  #operate<T>(operation: (now: number) => T): T {
    const now = this.#clock.now();
    this.#applyTimeouts(now);
    try {
      return operation(now);
    } finally {
      this.#setTimer(now);
      this.#notify();
    }
  }

  #addDeadLetter(message: StoredMessage, sourceArn: string): void {
    this.#operate(() => {
      message.deadLetterSourceArn = sourceArn;
      message.receivesFromQueue = 0;
      // SQS counts retention from the first send, also in a dead-letter queue.
      message.expiry = this.#expiring.add(message.sentAt + this.retentionSeconds * 1000, message);
      this.#show(message);
    });
  }

  #receive(message: StoredMessage, now: number): ReceivedMessage {
    message.receiveCount++;
    message.receivesFromQueue++;
    message.receivedAt = now;
    message.firstReceivedAt ??= now;
    const receiptHandle = this.#receipts.issue(message);
    this.#endState(message);
    this.#hide(message, 'inFlight', now + this.visibilityTimeoutSeconds * 1000);
    return receivedMessage(message, receiptHandle, message.firstReceivedAt);
  }

  #show(message: StoredMessage): void {
    message.state = 'visible';
    this.#visible.push(message);
    this.#visibleCount++;
    this.#hasNewVisible = true;
  }

  #hide(message: StoredMessage, state: 'inFlight' | 'delayed', until: number): void {
    message.state = state;
    message.visibleAgain = this.#hidden.add(until, message);
    if (state === 'inFlight') this.#inFlight++;
  }

  /** Ends the message's current state, before it gets another one or is removed. */
  #endState(message: StoredMessage): void {
    if (message.state === 'visible') this.#visibleCount--;
    if (message.visibleAgain) this.#hidden.remove(message.visibleAgain);
    message.visibleAgain = undefined;
    if (message.state === 'inFlight' && this.#inFlight-- === this.#maxInFlight) this.#hasNewVisible = true;
  }

  #remove(message: StoredMessage): void {
    this.#endState(message);
    message.state = 'deleted';
    while (this.#visible.peek()?.state === 'deleted') this.#visible.shift();
    this.#receipts.drop(message);
    if (message.expiry) this.#expiring.remove(message.expiry);
    message.expiry = undefined;
  }

  /** Removes expired messages and makes hidden messages visible whose time has ended. */
  #applyTimeouts(now: number): void {
    for (let first = this.#expiring.next; first && first.at <= now; first = this.#expiring.next) {
      this.#remove(first.item);
    }
    for (let first = this.#hidden.next; first && first.at <= now; first = this.#hidden.next) {
      this.#endState(first.item);
      this.#show(first.item);
    }
  }

  #notify(): void {
    const isAvailable = this.#hasNewVisible && this.#visibleCount > 0 && this.#inFlight < this.#maxInFlight;
    this.#hasNewVisible = false;
    if (isAvailable) for (const listener of [...this.#listeners]) listener();
  }

  #setTimer(now: number): void {
    const at = this.#hidden.next?.at;
    if (this.#listeners.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    } else if (at !== undefined && (this.#timer === undefined || at < this.#timer.at)) {
      // A timer that fires early is set again, which is cheaper than moving it with every delete.
      this.#timer?.cancel();
      const cancel = this.#clock.after(Math.max(1, at - now), () => {
        this.#timer = undefined;
        this.#operate(() => undefined);
      });
      this.#timer = { at, cancel };
    }
  }
}
