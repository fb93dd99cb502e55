import type { StoredMessage } from './remoting/stored-message.ts';

/** A message of a topic, and its broker. */
export interface TopicMessage extends StoredMessage {
  readonly broker: string;
}

export interface ReadTopicOptions {
  /** Messages stored at or after this time: milliseconds since 1970. */
  readonly since: number;
  /** Largest number of messages; by name servers, of each queue. */
  readonly limit: number;
  /** Consumer group to read by. @default - by name servers, the one of RocketMQ's tools */
  readonly consumerGroup?: string | undefined;
  /** Longest that the reading may take, in milliseconds. @default 30000 */
  readonly timeoutMs?: number;
}
