import type { BufferSetup, TaskBuffer } from './buffer.ts';
import { kinesisBuffer } from './kinesis/buffer.ts';
import { sqsBuffer } from './sqs/buffer.ts';

/** Every buffer there is, by the `eventSource` of its records. */
const BUFFERS: Readonly<Record<string, (setup: BufferSetup) => TaskBuffer>> = {
  'aws:sqs': sqsBuffer,
  'aws:kinesis': kinesisBuffer,
};

/** @returns the buffer of an event, opened once. @throws for an event of any other source. */
export function bufferOf(setup: BufferSetup): (event: unknown) => TaskBuffer {
  const opened = new Map<string, TaskBuffer>();
  return (event) => {
    const source = eventSourceOf(event);
    let buffer = opened.get(source);
    if (buffer === undefined) {
      buffer = BUFFERS[source]!(setup);
      opened.set(source, buffer);
    }
    return buffer;
  };
}

function eventSourceOf(event: unknown): string {
  const { Records: [record] = [] } = Object(event) as { Records?: readonly { eventSource?: string }[] };
  const source = record?.eventSource;
  if (source !== undefined && Object.hasOwn(BUFFERS, source)) return source;
  const keys = Object.keys(Object(event)).join(', ') || 'none';
  throw new Error(`Unsupported event (keys: ${keys}). Expected an SQS batch, a Kinesis batch or a control request.`);
}
