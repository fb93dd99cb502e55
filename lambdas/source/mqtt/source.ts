import type { Resolved } from '../../core/deploy-time.ts';
import type { Clock } from '../../net/clock.ts';
import { deadlineIn } from '../../net/deadline.ts';
import { clientIds, openClient } from '../../net/mqtt/client.ts';
import { CA_SECRET_ARN } from '../../net/mqtt/options.ts';
import { type ReadSecret, secretReader } from '../../net/secrets.ts';
import { type MqttSourceOptions, subscribedFilters } from './config.ts';
import type { Store } from './intake.ts';
import { openSession, type Session, type Subscribed } from './session.ts';

export interface MqttSourceSetup {
  /** The function's environment: ARNs of the secrets. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads the text of a secret. @default - from AWS Secrets Manager */
  readonly secret?: ReadSecret;
  readonly store: Store;
  /** Whether the buffer keeps an order, so that one call of `store` follows the other. */
  readonly isOrdered: boolean;
  readonly clock: Clock;
}

const SUBSCRIBE_TIMEOUT_MS = 10_000;
/** A call of `store` at a time keeps the order of a stream; for a queue, several hide the time of each. */
const QUEUE_CALLS = 4;
const QUEUE_MESSAGES = 80;
const STREAM_MESSAGES = 500;

/** Opens the sessions of a source. */
export interface MqttSource {
  /**
   * @param slot Number of the session, from 1: the broker finds its session by the slot's client id.
   * @param before What the slot's session is subscribed to.
   * @throws as `openSession`.
   */
  open(slot: number, before: Subscribed): Promise<Session>;
  readonly filters: readonly string[];
}

export function mqttSource(options: Resolved<MqttSourceOptions>, setup: MqttSourceSetup): MqttSource {
  const { env, secret, store, isOrdered, clock } = setup;
  const readSecret = secretReader(secret === undefined ? {} : { secret });
  const { qos, receiveMaximum, sessionExpirySeconds } = options;
  const filters = subscribedFilters(options);
  const clientId = clientIds(options, options.clientIdDigits);
  const authorities = env[CA_SECRET_ARN];

  return {
    filters,
    async open(slot, before) {
      // Authorities and credentials may have been rotated since the session before.
      const ca = authorities === undefined ? options.ca : await readSecret(authorities);
      const client = openClient({ options, ca, env, readSecret, clock });
      return openSession({
        connect: (onMessage) =>
          client.connect(
            { clientId: clientId(slot), clean: false, sessionExpirySeconds, receiveMaximum, onMessage },
            deadlineIn(options.connectTimeoutMs, clock),
          ),
        filters,
        before,
        qos,
        store,
        intake: {
          maxCalls: isOrdered ? 1 : QUEUE_CALLS,
          maxMessages: isOrdered ? STREAM_MESSAGES : QUEUE_MESSAGES,
          window: receiveMaximum,
        },
        subscribeTimeoutMs: SUBSCRIBE_TIMEOUT_MS,
        clock,
      });
    },
  };
}
