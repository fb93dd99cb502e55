import type { PreparedMessage } from './message.ts';

export interface BatchLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** Splits messages of one queue into batches, in order. What may not be in a batch, or has no room in one, is alone. */
export function splitBatches(
  messages: readonly PreparedMessage[],
  { maxMessages, maxBytes }: BatchLimits,
): PreparedMessage[][] {
  const batches: PreparedMessage[][] = [];
  let open: PreparedMessage[] | undefined;
  let bytes = 0;
  for (const message of messages) {
    if (message.isDelayed) {
      batches.push([message]);
      open = undefined;
    } else if (open !== undefined && open.length < maxMessages && bytes + message.recordBytes <= maxBytes) {
      open.push(message);
      bytes += message.recordBytes;
    } else {
      open = [message];
      batches.push(open);
      bytes = message.recordBytes;
    }
  }
  return batches;
}

/** The body of a batch, record after record: size, magic, checksum and flag (all three 0), body, properties. */
export function encodeBatch(messages: readonly PreparedMessage[]): Buffer {
  const block = Buffer.alloc(messages.reduce((sum, { recordBytes }) => sum + recordBytes, 0));
  let at = 0;
  for (const { recordBytes, body, properties } of messages) {
    const end = at + recordBytes;
    at = block.writeInt32BE(recordBytes, at) + 12;
    at = block.writeInt32BE(body.length, at);
    block.set(body, at);
    at += body.length;
    at = block.writeInt16BE(end - at - 2, at);
    block.write(properties, at, 'utf8');
    at = end;
  }
  return block;
}
