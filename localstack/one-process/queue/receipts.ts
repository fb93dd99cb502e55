import { randomBytes } from 'node:crypto';
import type { StoredMessage } from './message.ts';
import { SqsError } from './sqs-error.ts';

/** About the length of SQS's receipt handles, which counts towards the 6 MB of a Lambda event. */
const HANDLE_LENGTH = 412;
const DIGITS = 16;

/** The receipt handles of one queue. Only the latest handle of a message is valid. */
export class Receipts {
  readonly #prefix = randomBytes(HANDLE_LENGTH)
    .toString('base64')
    .slice(0, HANDLE_LENGTH - DIGITS);
  readonly #messages = new Map<number, StoredMessage>();
  #last = 0;

  /** Issues a new handle for a message and invalidates its previous one. */
  issue(message: StoredMessage): string {
    this.drop(message);
    message.receipt = ++this.#last;
    this.#messages.set(message.receipt, message);
    return this.#prefix + String(message.receipt).padStart(DIGITS, '0');
  }

  /** Invalidates the message's handle. */
  drop(message: StoredMessage): void {
    this.#messages.delete(message.receipt);
    message.receipt = 0;
  }

  /** Finds a message by its latest handle; undefined when it was deleted or received again. */
  find(handle: string): StoredMessage | undefined {
    if (handle.length !== HANDLE_LENGTH || handle.slice(0, -DIGITS) !== this.#prefix) {
      throw new SqsError(
        'ReceiptHandleIsInvalid',
        `ReceiptHandle: got ${JSON.stringify(handle)}; expected a handle of this queue`,
      );
    }
    return this.#messages.get(Number(handle.slice(-DIGITS)));
  }
}
