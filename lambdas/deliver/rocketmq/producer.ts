import type { Outcome } from '../sink.ts';
import type { Connectivity } from './remoting/connectivity.ts';
import type { Message } from './remoting/message.ts';
import type { SendOptions } from './remoting/producer.ts';

/** What the sink needs of a producer, whichever protocol that speaks. */
export interface SinkProducer {
  /** One outcome per message, in order. */
  send(topic: string, messages: readonly Message[], options?: SendOptions): Promise<readonly Outcome[]>;
  /** @throws RetryLater, NeverRetry, StopTask */
  testConnectivity(topic?: string): Promise<Connectivity>;
  close(): void;
}
