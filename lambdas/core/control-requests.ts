/** The event with which the control function and `outflow test-connectivity` invoke a worker's function. */
export interface ConnectivityRequest {
  readonly outflow: 'testConnectivity';
}

/** The response to a {@link ConnectivityRequest}. */
export interface Connectivity {
  readonly ok: boolean;
  /** What the test found, or why the sink cannot be reached or used. */
  readonly detail: string;
}

/**
 * The response to an SQS event with `outflow: 'probe'`: a batch response, and why the task still cannot continue. The event holds one
 * message and follows a connectivity test that passed, so a stop error is that message's own failure.
 */
export interface ProbeResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
  readonly halt?: string;
}

/** The event with which `outflow read` invokes a worker's function: the worker reaches the sink's servers and has their credentials. */
export interface ReadRequest {
  readonly outflow: 'read';
  /** Name of the topic. @default - the sink's only one */
  readonly target?: string;
  /** Records that arrived at or after this time: milliseconds since 1970. */
  readonly since: number;
  /** Largest number of records; the earliest of those found. */
  readonly limit: number;
  /** The consumer group to read RocketMQ by; by proxies, it consumes what is read. @default - see the sink */
  readonly consumerGroup?: string;
  /** Of an MQTT broker, which keeps nothing to be read later: how long to wait for messages. @default 10,000 */
  readonly waitMs?: number;
}

/** A record at a task's target. Its texts come from devices: escape them before printing. */
export interface ArrivedRecord {
  /** Name of the stream or topic. */
  readonly target: string;
  /** The partition key; of a message of RocketMQ its keys, with spaces between them. A message of MQTT has none. */
  readonly key?: string;
  /** Of a message of RocketMQ. */
  readonly tag?: string;
  readonly properties?: Readonly<Record<string, string>>;
  /** When it arrived: milliseconds since 1970. */
  readonly time: number;
  /** Shard and sequence number; broker, queue and offset; or QoS and retain flag. */
  readonly position: string;
  /** The record's data: base64. */
  readonly body: string;
}

/** The response to a {@link ReadRequest}. */
export type ReadResponse =
  | {
      readonly ok: true;
      readonly records: readonly ArrivedRecord[];
      /** Whether later records were left out, because a function's response holds 6 MB. */
      readonly isCut: boolean;
    }
  | { readonly ok: false; readonly detail: string };
