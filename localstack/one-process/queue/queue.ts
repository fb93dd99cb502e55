import { Fifo } from '../../fifo.ts';
import { type Clock, systemClock } from './clock.ts';
import { Deadlines } from './deadlines.ts';
import {
  type HeldMessage,
  lentMessage,
  type NewMessage,
  newMessage,
  type PeekedMessage,
  peekedMessage,
  type ReceivedMessage,
} from './message.ts';
import { Receipts } from './receipts.ts';
import { checkWhole, SqsError } from './sqs-error.ts';

export interface QueueOptions {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  /** How long a received message stays hidden, 0 to 43,200. Default: 30. */
  readonly visibilityTimeoutSeconds?: number;
  /** How long a new message stays hidden, 0 to 900. Default: messages are visible at once. */
  readonly delaySeconds?: number;
  /** How long an undeleted message is kept, 60 to 1,209,600. Default: four days. */
  readonly retentionSeconds?: number;
  /** Where messages go that were received `maxReceiveCount` times (1 to 1,000). Default: they come back until deleted. */
  readonly redrive?: { readonly deadLetterQueue: Queue; readonly maxReceiveCount: number };
  /** How many may be in flight; {@link MAX_IN_FLIGHT} is SQS's own and the default. */
  readonly maxInFlight?: number;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

export interface QueueCounts {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** With this many in flight a standard queue hands out nothing until some are deleted or visible again. */
export const MAX_IN_FLIGHT = 120_000;
const MAX_VISIBILITY_SECONDS = 43_200;
const MAX_DELAY_SECONDS = 900;

/**
 * A standard SQS queue in memory. Every operation first brings the queue up to the clock; a timer (one a queue) runs
 * only while somebody listens.
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
  /** Holds visible messages in order, and deleted ones until they come to the front. */
  readonly #visible = new Fifo<HeldMessage>();
  #visibleCount = 0;
  readonly #hidden = new Deadlines<HeldMessage>();
  readonly #expiring = new Deadlines<HeldMessage>();
  readonly #receipts = new Receipts();
  readonly #listeners = new Set<() => void>();
  #inFlight = 0;
  #hasNews = false;
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

  /** Adds a message, or throws the {@link SqsError} that SQS would answer with. */
  send(message: NewMessage): { readonly messageId: string } {
    const delaySeconds = message.delaySeconds ?? this.delaySeconds;
    checkWhole('DelaySeconds', delaySeconds, 0, MAX_DELAY_SECONDS);
    return this.#operate((now) => {
      const held = newMessage(message, now);
      held.expiry = this.#expiring.add(now + this.retentionSeconds * 1000, held);
      if (delaySeconds > 0) this.#hide(held, 'delayed', now + delaySeconds * 1000);
      else this.#show(held);
      return { messageId: held.messageId };
    });
  }

  /** Lends up to `max` messages; one received too often moves to the dead-letter queue instead. */
  receive(max: number): ReceivedMessage[] {
    return this.#operate((now) => {
      const received: ReceivedMessage[] = [];
      while (received.length < max && this.#inFlight < this.#maxInFlight) {
        const message = this.#visible.shift();
        if (message === undefined) break;
        if (message.state === 'deleted') continue;
        if (this.redrive && message.receivesHere >= this.redrive.maxReceiveCount) {
          this.#forget(message);
          this.redrive.deadLetterQueue.#adopt(message, this.arn);
        } else {
          received.push(this.#lend(message, now));
        }
      }
      return received;
    });
  }

  /** Deletes a message by its latest handle. As with SQS, an older handle or a second delete is no error. */
  delete(receiptHandle: string): void {
    this.#operate(() => {
      const message = this.#receipts.find(receiptHandle);
      if (message) this.#forget(message);
    });
  }

  /** Hides a message in flight for `seconds` from now; 0 makes it visible at once. */
  changeVisibility(receiptHandle: string, seconds: number): void {
    checkWhole('VisibilityTimeout', seconds, 0, MAX_VISIBILITY_SECONDS);
    this.#operate((now) => {
      const message = this.#receipts.find(receiptHandle);
      if (message?.state !== 'inFlight') {
        throw new SqsError('MessageNotInflight', 'The message is gone, visible again or in flight with a newer handle');
      }
      const until = now + seconds * 1000;
      if (until - message.receivedAt > MAX_VISIBILITY_SECONDS * 1000) {
        throw new SqsError('InvalidParameterValue', `More than ${MAX_VISIBILITY_SECONDS} s after it was received`);
      }
      this.#leave(message);
      if (seconds > 0) this.#hide(message, 'inFlight', until);
      else this.#show(message);
    });
  }

  /**
   * Calls `listener` when there is something to receive that was not there before. It is called from within the
   * operation that made it so, and is to do its work later.
   */
  onAvailable(listener: () => void): () => void {
    // A wrapper, so that the same function may listen twice.
    const entry = () => listener();
    this.#operate(() => this.#listeners.add(entry));
    return () => this.#operate(() => void this.#listeners.delete(entry));
  }

  /** As SQS's ApproximateNumberOfMessages…, but exact. */
  get counts(): QueueCounts {
    return this.#operate(() => ({
      visible: this.#visibleCount,
      inFlight: this.#inFlight,
      delayed: this.#hidden.size - this.#inFlight,
    }));
  }

  /** Whole seconds since the oldest message held was sent; 0 if there is none. */
  oldestAgeSeconds(): number {
    return this.#operate((now) => Math.floor((now - (this.#expiring.next?.item.sentAt ?? now)) / 1000));
  }

  /** Every message held, the next to be received first. Does not count as a receive. */
  peek(): readonly PeekedMessage[] {
    return this.#operate(() =>
      [...this.#visible, ...this.#hidden.inOrder()].flatMap((message) =>
        message.state === 'deleted' ? [] : [peekedMessage(message, message.state)],
      ),
    );
  }

  /** Brings the queue up to the clock, does the operation, then tells whoever listens. */
  #operate<T>(operation: (now: number) => T): T {
    const now = this.#clock.now();
    this.#catchUp(now);
    try {
      return operation(now);
    } finally {
      this.#setTimer(now);
      this.#tell();
    }
  }

  #adopt(message: HeldMessage, sourceArn: string): void {
    this.#operate(() => {
      message.deadLetterSourceArn = sourceArn;
      message.receivesHere = 0;
      // Retention goes on from the first send: SQS does not start it again in a dead-letter queue.
      message.expiry = this.#expiring.add(message.sentAt + this.retentionSeconds * 1000, message);
      this.#show(message);
    });
  }

  #lend(message: HeldMessage, now: number): ReceivedMessage {
    message.receiveCount++;
    message.receivesHere++;
    message.receivedAt = now;
    message.firstReceivedAt ??= now;
    const receiptHandle = this.#receipts.issue(message);
    this.#leave(message);
    this.#hide(message, 'inFlight', now + this.visibilityTimeoutSeconds * 1000);
    return lentMessage(message, receiptHandle, message.firstReceivedAt);
  }

  #show(message: HeldMessage): void {
    message.state = 'visible';
    this.#visible.push(message);
    this.#visibleCount++;
    this.#hasNews = true;
  }

  #hide(message: HeldMessage, state: 'inFlight' | 'delayed', until: number): void {
    message.state = state;
    message.wake = this.#hidden.add(until, message);
    if (state === 'inFlight') this.#inFlight++;
  }

  /** Takes a message out of the visible or the hidden ones, to be put back or forgotten. */
  #leave(message: HeldMessage): void {
    if (message.state === 'visible') this.#visibleCount--;
    if (message.wake) this.#hidden.remove(message.wake);
    message.wake = undefined;
    if (message.state === 'inFlight' && this.#inFlight-- === this.#maxInFlight) this.#hasNews = true;
  }

  #forget(message: HeldMessage): void {
    this.#leave(message);
    message.state = 'deleted';
    while (this.#visible.peek()?.state === 'deleted') this.#visible.shift();
    this.#receipts.drop(message);
    if (message.expiry) this.#expiring.remove(message.expiry);
    message.expiry = undefined;
  }

  /** Drops what its retention has ended for and shows what has waited long enough. */
  #catchUp(now: number): void {
    for (let first = this.#expiring.next; first && first.at <= now; first = this.#expiring.next) {
      this.#forget(first.item);
    }
    for (let first = this.#hidden.next; first && first.at <= now; first = this.#hidden.next) {
      this.#leave(first.item);
      this.#show(first.item);
    }
  }

  #tell(): void {
    const isNews = this.#hasNews && this.#visibleCount > 0 && this.#inFlight < this.#maxInFlight;
    this.#hasNews = false;
    if (isNews) for (const listener of [...this.#listeners]) listener();
  }

  #setTimer(now: number): void {
    const at = this.#hidden.next?.at;
    if (this.#listeners.size === 0) {
      this.#timer?.cancel();
      this.#timer = undefined;
    } else if (at !== undefined && (this.#timer === undefined || at < this.#timer.at)) {
      // Only ever moved forward: one that is early looks and is set again, cheaper than moving it with every delete.
      this.#timer?.cancel();
      const cancel = this.#clock.after(Math.max(1, at - now), () => {
        this.#timer = undefined;
        this.#operate(() => undefined);
      });
      this.#timer = { at, cancel };
    }
  }
}
