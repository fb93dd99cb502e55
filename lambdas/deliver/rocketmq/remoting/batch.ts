import type { PreparedMessage } from './prepared-message.ts';

/** Encodes the body of a batch, record by record: size, then magic, checksum and flag (all 0), body, properties. */
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
