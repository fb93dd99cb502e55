import type { PreparedMessage } from './prepared-message.ts';
import type { Queue } from './queue.ts';

/** Where the messages of one request were stored: the first at this offset of the queue, the others behind it. */
export interface Stored {
  readonly queue: Queue;
  readonly offset: number;
  /** The master stored the messages, but could not do all that it promises beyond. Sending them again would make duplicates. */
  readonly warning?: string;
}

/** The outcome of a message that a broker stored. */
export interface Sent {
  readonly status: 'delivered';
  /** `<broker>:<queue>:<offset>` */
  readonly receipt: string;
  /** As consumers see it. */
  readonly messageId: string;
  readonly broker: string;
  readonly queueId: number;
  /** Of a delayed message: its place until its time comes. */
  readonly offset: number;
  /** What the broker could not do beside storing the message. */
  readonly warning?: string;
}

/** The outcome of the message at this place of the request. */
export function sent(
  { id: messageId }: PreparedMessage,
  { queue, offset: first, warning }: Stored,
  place: number,
): Sent {
  const offset = first + place;
  return {
    status: 'delivered',
    receipt: `${queue.broker}:${queue.id}:${offset}`,
    messageId,
    broker: queue.broker,
    queueId: queue.id,
    offset,
    ...(warning !== undefined && { warning }),
  };
}
