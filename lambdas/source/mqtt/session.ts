import type { IPublishPacket } from 'mqtt-packet';
import type { Clock } from '../../net/clock.ts';
import type { MqttConnection } from '../../net/mqtt/connection.ts';
import type { ConnectionClosedError } from '../../net/mqtt/errors.ts';
import { FIRST_FAILURE, reasonCodes, reasonText } from '../../net/mqtt/reason-codes.ts';
import { type IntakeOptions, openIntake, type Store } from './intake.ts';
import { receivedEnvelope } from './received.ts';

export interface SessionOptions {
  /** Opens a connection that keeps the broker's session, and hands over each message. */
  readonly connect: (
    onMessage: (message: IPublishPacket, connection: MqttConnection) => void,
  ) => Promise<MqttConnection>;
  /** Topic filters, `$share/<group>/` included. */
  readonly filters: readonly string[];
  /** What the broker's session is subscribed to. */
  readonly before: Subscribed;
  readonly qos: 0 | 1 | 2;
  readonly store: Store;
  readonly intake: Pick<IntakeOptions, 'maxCalls' | 'maxMessages' | 'window'>;
  readonly subscribeTimeoutMs: number;
  readonly clock: Clock;
}

/** What is known about the subscriptions of the broker's session. */
export interface Subscribed {
  /** Every filter that the session may be subscribed to. */
  readonly filters: readonly string[];
  /** Whether it is subscribed to all of them. */
  readonly isComplete: boolean;
}

/** A session of which nothing is known. */
export const UNKNOWN_SUBSCRIPTIONS: Subscribed = { filters: [], isComplete: false };

/** A connection that receives messages, stores them in a task's buffer, and then acknowledges them. */
export interface Session {
  /** Settles when the connection and its last write to the buffer have ended, with the reason; never rejects. */
  readonly ended: Promise<ConnectionClosedError>;
  /** Number of messages received so far. */
  readonly received: number;
  /**
   * Ends the session in order: reads nothing more, stores and acknowledges what it has received, and disconnects. The broker sends
   * everything else to the next session.
   *
   * @param withinMs Time for that, twice at most; what is not stored then is left to the next session.
   */
  stop(withinMs: number): Promise<void>;
}

/** Closing a socket sooner may reset it, and a reset discards the acknowledgements that the broker has not read yet. */
const DISCONNECT_TIMEOUT_MS = 5_000;

/** Whether another connection with the same client id has taken the session (MQTT 5, section 3.1.4). */
export function isTakenOver({ code }: ConnectionClosedError): boolean {
  return code === reasonCodes.sessionTakenOver;
}

/** A subscription that the broker refuses: waiting does not help. */
export class SubscriptionError extends Error {
  override readonly name = 'SubscriptionError';
}

/**
 * Connects, and subscribes unless the broker still has the session with the same filters.
 *
 * @throws SubscriptionError for a filter that the broker refuses; what `connect` and the connection throw.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { connect, filters, before, qos, store, clock } = options;
  let received = 0;
  let isStopping = false;
  let connection: MqttConnection | undefined;
  const intake = openIntake({
    ...options.intake,
    store,
    clock,
    onFull: (isFull) => {
      if (isStopping) return;
      if (isFull) connection?.pause();
      else connection?.resume();
    },
  });
  connection = await connect((message, from) => {
    connection ??= from;
    // What arrives after the session has stopped reading is not acknowledged, so that the next session receives it.
    if (isStopping) return;
    received++;
    const envelope = receivedEnvelope(message, clock.wallMs());
    intake.receive(envelope, () => from.acknowledge(message));
  });
  const opened = connection;
  const ended = opened.closed.then(async (reason) => {
    // The broker sends these again, to this client's next connection or to the one that has taken the session.
    await intake.drop();
    return reason;
  });
  try {
    await subscribe(opened, options);
  } catch (error) {
    opened.destroy();
    await ended;
    throw error;
  }

  return {
    ended,
    get received() {
      return received;
    },
    async stop(withinMs) {
      isStopping = true;
      opened.pause();
      if (intake.waiting > 0) await Promise.race([intake.drained(), opened.closed, clock.sleep(withinMs)]);
      if (intake.waiting > 0) await Promise.race([intake.drop(), clock.sleep(withinMs)]);
      opened.resume();
      await opened.disconnect(DISCONNECT_TIMEOUT_MS);
    },
  };

  async function subscribe(connection: MqttConnection, { subscribeTimeoutMs }: SessionOptions): Promise<void> {
    const { sessionPresent, properties = {} } = connection.connack;
    if (properties.sharedSubscriptionAvailable === false && filters.some((filter) => filter.startsWith('$share/')))
      throw new SubscriptionError('the broker has no shared subscriptions; remove shareGroup');
    if (sessionPresent && before.isComplete && sameFilters(filters, before.filters)) return;
    const removed = sessionPresent ? before.filters.filter((filter) => !filters.includes(filter)) : [];
    if (removed.length > 0) await connection.unsubscribe(removed, subscribeTimeoutMs);
    const codes = await connection.subscribe(
      filters.map((topic) => ({ topic, qos })),
      subscribeTimeoutMs,
    );
    const refused = filters.flatMap((filter, index) => {
      const code = codes[index] ?? reasonCodes.unspecified;
      return code < FIRST_FAILURE ? [] : [`${filter}: ${reasonText(code)}`];
    });
    if (refused.length > 0) throw new SubscriptionError(`the broker refuses the subscription to ${refused.join(', ')}`);
  }
}

function sameFilters(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((filter) => others.includes(filter));
}
