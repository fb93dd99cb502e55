/** How many messages one batch call, or one ReceiveMessage call, takes (Amazon SQS quotas). */
export const MAX_ENTRIES = 10;

/** An entry of a batch call that names a received message. */
export interface ReceiptEntry {
  readonly Id: string;
  readonly ReceiptHandle: string;
}

/** Why a message was refused, or why a whole call failed. */
export type BatchFailure =
  | { readonly code: string | undefined; readonly reason: string | undefined }
  | {
      /** How many messages the call was for. */
      readonly count: number;
      readonly reason: string;
    };

/**
 * Calls a batch API of SQS, such as DeleteMessageBatch, for messages that were received: ten at a time, one call after the other.
 * It never throws: a call that fails is reported, and the others are made.
 */
export async function inTens(
  messages: readonly { readonly receiptHandle: string }[],
  call: (entries: ReceiptEntry[]) => Promise<{
    readonly Failed?: { readonly Code?: string | undefined; readonly Message?: string | undefined }[] | undefined;
  }>,
  onFailure: (failure: BatchFailure) => void,
): Promise<void> {
  for (let from = 0; from < messages.length; from += MAX_ENTRIES) {
    const batch = messages.slice(from, from + MAX_ENTRIES);
    try {
      const entries = batch.map(({ receiptHandle }, i) => ({ Id: String(i), ReceiptHandle: receiptHandle }));
      const { Failed = [] } = await call(entries);
      for (const { Code, Message } of Failed) onFailure({ code: Code, reason: Message });
    } catch (error) {
      onFailure({ count: batch.length, reason: String(error) });
    }
  }
}
