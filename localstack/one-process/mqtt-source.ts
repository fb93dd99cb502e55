import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { resolveDeployTime } from '../../lambdas/core/deploy-time.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { systemClock } from '../../lambdas/net/clock.ts';
import { mqttSourceOptions } from '../../lambdas/source/mqtt/config.ts';
import type { Store } from '../../lambdas/source/mqtt/intake.ts';
import { type Session, type Subscribed, UNKNOWN_SUBSCRIPTIONS } from '../../lambdas/source/mqtt/session.ts';
import { type MqttSource, mqttSource } from '../../lambdas/source/mqtt/source.ts';

export interface LocalMqttSourceOptions {
  /** The function's spec, not yet parsed, and its environment. */
  readonly spec: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly secret: ((arn: string) => Promise<string>) | undefined;
  readonly store: Store;
  readonly isOrdered: boolean;
  readonly onError: (error: Error) => void;
}

export interface LocalMqttSource {
  /** Whether every session is connected. */
  readonly isConnected: boolean;
  /** Stops the intake: the broker keeps what is published meanwhile. */
  stop(): Promise<void>;
  /** Connects again. */
  start(): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const STOP_WITHIN_MS = 2_000;

/** Keeps the sessions of an MQTT source connected, with the code of the deployed function. */
export function startMqttSource(options: LocalMqttSourceOptions): LocalMqttSource {
  const { env, secret, store, isOrdered } = options;
  const parsed = resolveDeployTime(parseOptions(mqttSourceOptions, options.spec, 'source'), env);
  const source = mqttSource(
    { ...parsed, clientIdDigits: ownDigits(parsed.clientIdDigits) },
    { env, ...(secret && { secret }), store, isOrdered, clock: systemClock },
  );
  const connected = new Set<number>();
  let running: { readonly stopped: AbortController; readonly slots: readonly Promise<void>[] } | undefined;
  const local: LocalMqttSource = {
    get isConnected() {
      return connected.size === parsed.sessions;
    },
    start() {
      if (running !== undefined) return;
      const stopped = new AbortController();
      const slots = Array.from({ length: parsed.sessions }, (_, index) =>
        keepConnected(source, index + 1, { signal: stopped.signal, connected, onError: options.onError }),
      );
      running = { stopped, slots };
    },
    async stop() {
      const ending = running;
      running = undefined;
      ending?.stopped.abort();
      await Promise.all(ending?.slots ?? []);
    },
  };
  local.start();
  return local;
}

/** A client id of the deployed task would take its session, and with it its messages. */
function ownDigits(deployed: string): string {
  return createHash('sha256').update(`${hostname()}/${deployed}`).digest('hex').slice(0, 8);
}

interface KeepOptions {
  readonly signal: AbortSignal;
  readonly connected: Set<number>;
  readonly onError: (error: Error) => void;
}

async function keepConnected(source: MqttSource, slot: number, { signal, connected, onError }: KeepOptions) {
  const stopped = new Promise<'stopped'>((resolve) => {
    signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  let subscribed: Subscribed = UNKNOWN_SUBSCRIPTIONS;
  let lastFailure: string | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    let session: Session | undefined;
    try {
      session = await source.open(slot, subscribed);
      subscribed = { filters: source.filters, isComplete: true };
      connected.add(slot);
      pauseMs = FIRST_PAUSE_MS;
      lastFailure = undefined;
      const end = await Promise.race([session.ended, stopped]);
      if (end !== 'stopped') throw end;
    } catch (error) {
      // It may have subscribed to some filters of a new session.
      if (session === undefined) subscribed = { ...subscribed, isComplete: false };
      const failure = (error as Error).message;
      // The same failure is reported once, however often it is tried again.
      if (failure !== lastFailure) onError(new Error(`source not connected: ${failure}`, { cause: error }));
      lastFailure = failure;
    } finally {
      connected.delete(slot);
      if (signal.aborted) await session?.stop(STOP_WITHIN_MS);
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {}); // stopped meanwhile
  }
}
