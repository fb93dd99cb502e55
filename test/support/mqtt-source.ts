import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../lambdas/net/clock.ts';
import { mqttSourceOptions } from '../../lambdas/source/mqtt/config.ts';
import type { Store } from '../../lambdas/source/mqtt/intake.ts';
import type { Session, Subscribed } from '../../lambdas/source/mqtt/session.ts';
import type { SlotState, SlotStore } from '../../lambdas/source/mqtt/slot.ts';
import { type MqttSource, mqttSource } from '../../lambdas/source/mqtt/source.ts';
import { takeTurn } from '../../lambdas/source/mqtt/turn.ts';

/** Session options of a test, in the words of `mqttSourceOptions`. */
export type SourceOptions = Partial<(typeof mqttSourceOptions)['_input']>;

export const NOTHING_KNOWN: Subscribed = { filters: [], isComplete: false };

/** A buffer in memory, whose writes take as long as the test needs. */
export class SlowBuffer {
  /** Payloads, in the order in which they were stored. */
  readonly texts: string[] = [];
  latencyMs: number;
  /** Messages that are being stored. */
  writing = 0;

  constructor(latencyMs = 0) {
    this.latencyMs = latencyMs;
  }

  readonly store: Store = async (envelopes) => {
    this.writing += envelopes.length;
    await sleep(this.latencyMs);
    this.writing -= envelopes.length;
    this.texts.push(...envelopes.map(({ payload }) => Buffer.from(payload, 'base64').toString()));
    return envelopes.map(() => true);
  };

  get duplicates(): number {
    return this.texts.length - new Set(this.texts).size;
  }
}

/** A source of a broker, with the code of the deployed function. */
export function sourceOf(url: string, store: Store, options: SourceOptions = {}): MqttSource {
  const parsed = mqttSourceOptions.parse({
    type: 'mqtt-source',
    task: 'Inbound',
    clientIdDigits: '01234567',
    filters: ['in/#'],
    ...options,
    server: url,
  });
  return mqttSource(parsed as never, { env: {}, store, isOrdered: false, clock: systemClock });
}

/** A slot whose parameter answers as AWS Systems Manager does, after about 20 ms. */
export function memorySlot(): SlotStore & { state: SlotState | undefined } {
  const slot = {
    state: undefined as SlotState | undefined,
    async read() {
      await sleep(20);
      return { state: slot.state, isStopped: false };
    },
    async write(state: SlotState) {
      await sleep(20);
      slot.state = structuredClone(state);
    },
  };
  return slot;
}

export interface RunningTurn {
  readonly result: Promise<string>;
  readonly logged: object[];
  /** The session that is open now. */
  session: Session | undefined;
  /** Makes the invocation end soon, as if its 15 minutes were over. */
  end(): void;
}

let turns = 0;

/** An invocation of the source's function, by default for its first slot. */
export function startTurn(source: MqttSource, slot: SlotStore, version = '1', number = 1): RunningTurn {
  const logged: object[] = [];
  let endsAt = Date.now() + 900_000;
  const turn: RunningTurn = {
    logged,
    session: undefined,
    end() {
      endsAt = Date.now();
    },
    result: takeTurn({
      store: slot,
      owner: `${++turns}`,
      version,
      filters: source.filters,
      remainingMs: () => endsAt - Date.now(),
      async open(before) {
        turn.session = await source.open(number, before);
        return turn.session;
      },
      clock: systemClock,
      log: (entry) => void logged.push(entry),
    }),
  };
  return turn;
}
