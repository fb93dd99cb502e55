import { randomBytes } from 'node:crypto';
import type { HeldMessage } from './message.ts';
import { SqsError } from './sqs-error.ts';

/** Real receipt handles are about this long, and their length counts in the 6 MB of a Lambda event. */
const HANDLE_LENGTH = 412;
const DIGITS = 16;

/** The receipts of one queue: each message's latest handle, no more, however often it was received. */
export class Receipts {
  readonly #prefix = randomBytes(HANDLE_LENGTH)
    .toString('base64')
    .slice(0, HANDLE_LENGTH - DIGITS);
  readonly #messages = new Map<number, HeldMessage>();
  #last = 0;

  /** Gives the message a new handle; the one before it no longer counts. */
  issue(message: HeldMessage): string {
    this.drop(message);
    message.receipt = ++this.#last;
    this.#messages.set(message.receipt, message);
    return this.#prefix + String(message.receipt).padStart(DIGITS, '0');
  }

  drop(message: HeldMessage): void {
    this.#messages.delete(message.receipt);
    message.receipt = 0;
  }

  /** The message whose latest handle this is; undefined if it is gone or was received again since. */
  find(handle: string): HeldMessage | undefined {
    if (handle.length !== HANDLE_LENGTH || handle.slice(0, -DIGITS) !== this.#prefix) {
      throw new SqsError('ReceiptHandleIsInvalid', `Not a receipt handle of this queue: ${JSON.stringify(handle)}`);
    }
    return this.#messages.get(Number(handle.slice(-DIGITS)));
  }
}
