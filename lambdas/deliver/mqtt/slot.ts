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
  /** Resolves when the current attempt to connect has ended, if there is one. */
  attempted(): Promise<void>;
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
  /** The attempt to connect, or the probe, that has not ended. */
  let opening: Promise<Opened> | undefined;
  let current: Opened | undefined;
  let callsInFlight = 0;
  let usedAt = { wallMs: 0, monotonicMs: 0 };
  let failure: { readonly error: unknown; readonly untilMs: number } | undefined;
  let isClosed = false;

  async function open(deadline: Deadline): Promise<Opened> {
    if (failure !== undefined && clock.monotonicMs() < failure.untilMs) throw failure.error;
    failure = undefined;
    try {
      const connection = await connect(deadline);
      if (isClosed) connection.destroy();
      const window = Math.min(inflightWindow, connection.connack.properties?.receiveMaximum ?? inflightWindow);
      current = { connection, limited: concurrencyLimit(window) };
      return current;
    } catch (cause) {
      const isSilent = cause instanceof ConnectionClosedError || cause instanceof NoAnswerError;
      const error = isSilent ? new UnreachableError(address, cause.message, { cause }) : cause;
      // An attempt that had too little time proves nothing about the broker.
      if (deadline.leftMs() > 0) failure = { error, untilMs: clock.monotonicMs() + CONNECT_AGAIN_AFTER_MS };
      throw error;
    }
  }

  /** While a call waits for its answer, the connection is not idle, however slow the broker is. */
  function isIdle(): boolean {
    if (callsInFlight > 0) return false;
    // While a sandbox is frozen, the monotonic clock may stand still; the wall clock may be set back.
    const sinceMs = Math.max(Math.abs(clock.wallMs() - usedAt.wallMs), clock.monotonicMs() - usedAt.monotonicMs);
    return sinceMs > PROBE_AFTER_MS;
  }

  function markUsed(): void {
    usedAt = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };
  }

  /** Returns an open connection that has been used or has answered just now. Concurrent callers wait for the same one. */
  function opened(deadline: Deadline): Opened | Promise<Opened> {
    if (opening !== undefined) return opening;
    if (current?.connection.isOpen && !isIdle()) return current;
    opening = renewed(current, deadline).finally(() => {
      opening = undefined;
    });
    return opening;
  }

  async function renewed(known: Opened | undefined, deadline: Deadline): Promise<Opened> {
    if (known?.connection.isOpen) {
      try {
        await known.connection.ping(Math.min(PROBE_TIMEOUT_MS, deadline.leftMs()));
        markUsed();
        return known;
      } catch {
        // The connection is gone; a new one takes its place.
      }
    }
    const connected = await open(deadline);
    markUsed();
    return connected;
  }

  async function run<Result>(
    deadline: Deadline,
    use: (connection: MqttConnection) => Promise<Result>,
  ): Promise<Result> {
    for (;;) {
      if (isClosed) throw new ConnectionClosedError('the sink is closed', { isByClient: true });
      const { connection, limited } = await opened(deadline);
      const used = await limited(async () => {
        // A call that waited for its turn has sent nothing on a connection that ended meanwhile.
        if (!connection.isOpen) return undefined;
        callsInFlight++;
        try {
          return { result: await use(connection) };
        } finally {
          callsInFlight--;
          markUsed();
        }
      });
      if (used !== undefined) return used.result;
    }
  }

  return {
    use: (deadline, use) => access.shared(() => run(deadline, use)),
    useAlone: (deadline, use) => access.exclusive(() => run(deadline, use)),
    get isOpen() {
      return current?.connection.isOpen ?? false;
    },
    async attempted() {
      await opening?.catch(() => {});
    },
    retire: () => access.exclusive(async () => current?.connection.disconnect()),
    close() {
      isClosed = true;
      current?.connection.destroy('the sink is closed');
    },
  };
}
