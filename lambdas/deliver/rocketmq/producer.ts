import type { DeliverContext, Outcome } from '../sink.ts';
import type { RocketMqRequest } from './message.ts';

/** What the sink needs of a producer of either protocol. */
export interface Producer<Delivered extends Outcome = Outcome> {
  /** One outcome per request, in order. A message that timed out may be stored: duplicates are possible, and have the same keys. */
  deliver(
    requests: readonly RocketMqRequest[],
    context: DeliverContext,
  ): Promise<readonly (Delivered | Exclude<Outcome, { status: 'delivered' }>)[]>;
  /**
   * Asks the brokers of a topic whether they would accept a message for it; without a topic, whether they accept the
   * credentials. Nothing is stored.
   *
   * @throws RetryLater, NeverRetry, StopTask
   */
  testConnectivity(topic?: string): Promise<Connectivity>;
  /** Ends what is in flight. */
  close(): void;
}

/** The result of a connectivity test. */
export interface Connectivity {
  /** Brokers that answered, and would accept messages. */
  readonly brokers: readonly { readonly name: string; readonly address: string; readonly latencyMs: number }[];
  /** Brokers that did not answer, while others did. */
  readonly away: readonly { readonly name: string; readonly address: string; readonly error: Error }[];
}
