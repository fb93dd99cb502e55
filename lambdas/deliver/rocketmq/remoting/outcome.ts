import type { Outcome } from '../../sink.ts';
import type { Verdict } from './classify.ts';
import type { PreparedMessage } from './message.ts';
import type { Stored } from './sender.ts';

/** Stored by a broker. */
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
  /** What the broker could not do beside storing it. */
  readonly warning?: string;
}

/** An outcome of a sink, with more to tell of what was stored. */
export type SendOutcome = Sent | Exclude<Outcome, { status: 'delivered' }>;

/** The outcome of the message at this place of a stored batch. */
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

export function toOutcome(error: Verdict): SendOutcome {
  switch (error.name) {
    case 'RetryLater':
      return { status: 'retry', error };
    case 'NeverRetry':
      return { status: 'never', error };
    case 'StopTask':
      return { status: 'stop', error };
  }
}
