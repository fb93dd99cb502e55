import { decodeEnvelope, type Envelope } from '../../../lambdas/core/envelope.ts';
import { receivedEnvelope } from '../../../lambdas/source/mqtt/received.ts';

/** An envelope as the source makes it. */
export function envelope(topic: string, payload: string | Buffer = ''): Envelope {
  const packet = { cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false } as const;
  return receivedEnvelope(packet, Date.UTC(2026, 0, 1));
}

export function textOf({ payload }: Envelope): string {
  return Buffer.from(payload, 'base64').toString();
}

/** Reads a message of the buffer as the worker does. */
export function decoded(body: string): Envelope {
  return decodeEnvelope(body, { messageId: 'm', sentAt: 0 });
}
