import { ProtocolError } from './errors.ts';

/** A server closes the connection on a longer frame. */
export const MAX_REQUEST_BYTES = 16 * 1024 * 1024;
/** Far above any route or list of message ids. Longer frames are refused before memory is allocated for them. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
export const MAX_HEADER_BYTES = 1024 * 1024;

const WORD = 4;
const JSON_HEADER = 0;

/** A command on the wire: length, header length (its top byte is the header's serialization), header, body. */
export interface Frame {
  readonly header: Buffer;
  readonly body: Buffer;
}

/** Encodes a frame, except for its body. */
export function encodeHead(header: string, bodyBytes: number): Buffer {
  const headerBytes = Buffer.byteLength(header);
  const head = Buffer.allocUnsafe(2 * WORD + headerBytes);
  head.writeUInt32BE(WORD + headerBytes + bodyBytes, 0);
  head.writeUInt32BE(headerBytes, WORD);
  head.write(header, 2 * WORD, 'utf8');
  return head;
}

export interface FrameReader {
  /** Reads a chunk, and calls back with each frame that is complete. @throws ProtocolError, after which the connection cannot be used. */
  push(chunk: Uint8Array): void;
}

/** Splits a byte stream into frames. Each byte is copied once, whatever the size of the chunks. */
export function frameReader(onFrame: (frame: Frame) => void): FrameReader {
  const length = Buffer.alloc(WORD);
  let frame: Buffer | undefined;
  let filled = 0;
  return {
    push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const filling = frame ?? length;
        const part = chunk.subarray(at, at + filling.length - filled);
        filling.set(part, filled);
        at += part.length;
        filled += part.length;
        if (filled < filling.length) return;
        filled = 0;
        if (frame === undefined) {
          frame = Buffer.allocUnsafe(checkLength(length.readUInt32BE(0)));
        } else {
          const whole = frame;
          frame = undefined;
          onFrame(split(whole));
        }
      }
    },
  };
}

function checkLength(bytes: number): number {
  if (bytes < WORD || bytes > MAX_ANSWER_BYTES)
    throw new ProtocolError(`a frame of ${bytes} bytes; expected ${WORD} to ${MAX_ANSWER_BYTES}`);
  return bytes;
}

function split(frame: Buffer): Frame {
  const word = frame.readUInt32BE(0);
  const serialization = word >>> 24;
  if (serialization !== JSON_HEADER)
    throw new ProtocolError(`a header in serialization ${serialization}; expected ${JSON_HEADER}, JSON`);
  const bodyAt = WORD + word;
  if (bodyAt > frame.length || word > MAX_HEADER_BYTES)
    throw new ProtocolError(
      `a header of ${word} bytes in a frame of ${frame.length}; expected at most ${MAX_HEADER_BYTES}`,
    );
  return { header: frame.subarray(WORD, bodyAt), body: frame.subarray(bodyAt) };
}
