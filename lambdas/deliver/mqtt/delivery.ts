import type { Deadline } from '../../net/deadline.ts';
import type { MqttConnection } from '../../net/mqtt/connection.ts';
import { ConnectionClosedError } from '../../net/mqtt/errors.ts';
import { FIRST_FAILURE, reasonCodes, reasonText } from '../../net/mqtt/reason-codes.ts';
import type { Outcome } from '../sink.ts';
import { acknowledgementVerdict, mayBeForAMessage, refusedAloneVerdict } from './classify.ts';
import type { MqttRequest } from './message.ts';
import type { Pool } from './pool.ts';
import { publicationOf } from './publication.ts';

export interface DeliveryOptions {
  readonly pool: Pool;
  readonly publishTimeoutMs: number;
  readonly isClosed: () => boolean;
}

/**
 * Publishes a request once, and again on another connection if the broker ended the first one without an answer.
 *
 * @param slotKey Requests of one key share a connection.
 * @throws what makes no outcome: RetryLater, NeverRetry, StopTask, and the errors of a connection.
 */
export type Deliver = (request: MqttRequest, slotKey: string | undefined, deadline: Deadline) => Promise<Outcome>;

/** Connections that have to end for a message alone before it is to blame. */
const ALONE_ATTEMPTS = 2;
/** Connections that may end while a message waits to be published alone: that of the message before it, and another one. */
const MAX_OTHER_CLOSINGS = 2;
/** A message is not published with less time left until the deadline: an answer that comes too late makes a duplicate. */
const MIN_PUBLISH_MS = 1_000;

/**
 * A broker that stops closes the connection, and so does one that refuses a message in MQTT 3.1.1. The messages that were in flight
 * are published once more, each alone: if each connection ends then, which has just answered a PINGREQ, it is because of the message.
 */
export function delivery({ pool, publishTimeoutMs, isClosed }: DeliveryOptions): Deliver {
  return async (request, slotKey, deadline) => {
    let closings = 0;
    let otherClosings = 0;
    let ended: ConnectionClosedError | undefined;
    let isSent = false;

    async function publish(connection: MqttConnection): Promise<Outcome> {
      const publication = publicationOf(request, connection.connack);
      if (deadline.leftMs() < Math.min(publishTimeoutMs, MIN_PUBLISH_MS)) return { status: 'unsent' };
      isSent = true;
      return outcomeOf(await connection.publish(publication, timeoutMs()), request);
    }

    async function publishAlone(connection: MqttConnection): Promise<Outcome> {
      await connection.ping(timeoutMs());
      if (closings > ALONE_ATTEMPTS) throw refusedAloneVerdict(ended!, request);
      return publish(connection);
    }

    const timeoutMs = () => Math.min(publishTimeoutMs, deadline.leftMs());

    for (;;) {
      const slot = pool.slot(slotKey);
      isSent = false;
      try {
        return await (closings === 0 ? slot.use(deadline, publish) : slot.useAlone(deadline, publishAlone));
      } catch (error) {
        if (isClosed() || deadline.leftMs() === 0) throw error;
        if (!(error instanceof ConnectionClosedError)) {
          if (await pool.refused(slot, error)) continue;
          throw error;
        }
        // The broker answered for the message that made it close the connection; this one was in flight beside it.
        if (error.isExplained) continue;
        if (!mayBeForAMessage(error)) throw error;
        if (isSent) {
          closings++;
          ended = error;
        } else if (++otherClosings > MAX_OTHER_CLOSINGS) throw error;
      }
    }
  };
}

function outcomeOf(code: number, request: MqttRequest): Outcome {
  if (code >= FIRST_FAILURE) throw acknowledgementVerdict(code, request);
  if (code === reasonCodes.noMatchingSubscribers) return { status: 'delivered', receipt: reasonText(code) };
  return { status: 'delivered' };
}
