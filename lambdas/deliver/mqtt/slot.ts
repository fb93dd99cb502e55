import type { Clock } from '../../net/clock.ts';
import { type ConcurrencyLimit, concurrencyLimit } from '../../net/concurrency-limit.ts';
import type { Deadline } from '../../net/deadline.ts';
import { UnreachableError } from '../../net/dial.ts';
import { sharedAccess } from '../../net/exclusive.ts';
import type { MqttConnection } from '../../net/mqtt/connection.ts';
import { ConnectionClosedError, NoAnswerError } from '../../net/mqtt/errors.ts';

export interface SlotOptions {
  /** `host:port`, for errors. */
  readonly address: string;
  /** @throws UnreachableError, ConnectionRefusedError, ConnectionClosedError, NoAnswerError, and what reading a secret throws. */
  readonly connect: (deadline: Deadline) => Promise<MqttConnection>;
  /** Messages in flight at a time, if the broker allows that many. */
  readonly inflightWindow: number;
  readonly clock: Clock;
}

/** A connection of a pool. It is opened on demand, and again after it has ended. */
export interface Slot {
  /**
   * Calls `use` with an open connection, together with other calls.
   *
   * @throws UnreachableError, ConnectionRefusedError when there is no connection; what `use` throws.
   */
  use<Result>(deadline: Deadline, use: (connection: MqttConnection) => Promise<Result>): Promise<Result>;
  /** Calls `use` when no other call uses the connection. @throws as `use`. */
  useAlone<Result>(deadline: Deadline, use: (connection: MqttConnection) => Promise<Result>): Promise<Result>;
  readonly isOpen: boolean;
  /** Ends the connection once the calls that use it have ended. */
  retire(): Promise<void>;
  /** Ends the connection at once. */
  close(): void;
}

/** A connection that was idle for longer is probed: a frozen sandbox does not notice that the broker has closed it. */
const PROBE_AFTER_MS = 5_000;
const PROBE_TIMEOUT_MS = 2_000;
/** After a failure to connect, calls fail with the same error for this long, so that each does not wait in turn. */
const CONNECT_AGAIN_AFTER_MS = 1_000;

interface Opened {
  readonly connection: MqttConnection;
  readonly limited: ConcurrencyLimit;
}

export function openSlot({ address, connect, inflightWindow, clock }: SlotOptions): Slot {
  const access = sharedAccess();
  let opening: Promise<Opened> | undefined;
  let current: MqttConnection | undefined;
  let usedAtMs = 0;
  let failure: { readonly error: unknown; readonly untilMs: number } | undefined;
  let isClosed = false;

  async function open(deadline: Deadline): Promise<Opened> {
    if (failure !== undefined && clock.monotonicMs() < failure.untilMs) throw failure.error;
    failure = undefined;
    try {
      const connection = await connect(deadline);
      current = connection;
      if (isClosed) connection.destroy();
      const window = Math.min(inflightWindow, connection.connack.properties?.receiveMaximum ?? inflightWindow);
      return { connection, limited: concurrencyLimit(window) };
    } catch (cause) {
      const isSilent = cause instanceof ConnectionClosedError || cause instanceof NoAnswerError;
      const error = isSilent ? new UnreachableError(address, cause.message, { cause }) : cause;
      failure = { error, untilMs: clock.monotonicMs() + CONNECT_AGAIN_AFTER_MS };
      throw error;
    }
  }

  /** Returns an open connection that has been used or has answered just now. Concurrent callers wait for the same one. */
  function opened(deadline: Deadline): Promise<Opened> {
    const isIdle = clock.wallMs() - usedAtMs > PROBE_AFTER_MS;
    usedAtMs = clock.wallMs();
    if (opening === undefined || isIdle || !(current?.isOpen ?? true)) {
      const before = opening;
      opening = renewed(before, deadline);
      opening.catch(() => {
        opening = undefined;
      });
    }
    return opening;
  }

  async function renewed(before: Promise<Opened> | undefined, deadline: Deadline): Promise<Opened> {
    const known = await before?.catch(() => undefined);
    if (known?.connection.isOpen) {
      try {
        await known.connection.ping(Math.min(PROBE_TIMEOUT_MS, deadline.leftMs()));
        return known;
      } catch {
        // The connection is gone; a new one takes its place.
      }
    }
    return open(deadline);
  }

  async function run<Result>(
    deadline: Deadline,
    use: (connection: MqttConnection) => Promise<Result>,
  ): Promise<Result> {
    if (isClosed) throw new ConnectionClosedError('the sink is closed');
    const { connection, limited } = await opened(deadline);
    return limited(() => {
      usedAtMs = clock.wallMs();
      return use(connection);
    });
  }

  return {
    use: (deadline, use) => access.shared(() => run(deadline, use)),
    useAlone: (deadline, use) => access.exclusive(() => run(deadline, use)),
    get isOpen() {
      return current?.isOpen ?? false;
    },
    retire: () => access.exclusive(async () => current?.disconnect()),
    close() {
      isClosed = true;
      current?.destroy('the sink is closed');
    },
  };
}
