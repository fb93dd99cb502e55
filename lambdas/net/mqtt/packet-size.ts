/** Bytes of a Remaining Length field (MQTT 5, section 1.5.5); the parser refuses a longer one. */
const MAX_LENGTH_BYTES = 4;

/**
 * Follows the fixed headers of a stream of packets, so that a packet is refused for the length that it claims, before its bytes arrive.
 *
 * @param maxBytes Largest packet, its header excluded.
 * @returns a function to be called with each chunk of the stream, in order. @throws RangeError for a larger packet.
 */
export function packetSizeLimit(maxBytes: number): (chunk: Uint8Array) => void {
  /** Bytes of the current packet that are still to come, once its length is known. */
  let toCome = 0;
  let isInLength = false;
  let length = 0;
  let lengthBytes = 0;

  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (toCome > 0) {
        const skipped = Math.min(toCome, chunk.length - at);
        toCome -= skipped;
        at += skipped;
      } else if (!isInLength) {
        at++; // the packet type
        isInLength = true;
        length = 0;
        lengthBytes = 0;
      } else {
        const byte = chunk[at++]!;
        length += (byte & 0x7f) * 128 ** lengthBytes++;
        if (length > maxBytes)
          throw new RangeError(`a packet of ${length} bytes or more; expected at most ${maxBytes}`);
        if (byte < 0x80 || lengthBytes === MAX_LENGTH_BYTES) {
          isInLength = false;
          toCome = length;
        }
      }
    }
  };
}
