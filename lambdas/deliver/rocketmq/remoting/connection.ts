import type { Socket } from 'node:net';
import type { Clock } from '../../../net/clock.ts';
import type { Deadline } from '../../../net/deadline.ts';
import { type Answer, decodeAnswer, encodeRequest, type Request } from './command.ts';
import { NoAnswerError, type NoAnswerReason, ProtocolError } from './errors.ts';
import { frameReader, MAX_REQUEST_BYTES } from './frame.ts';

export interface ConnectionOptions {
  readonly address: string;
  /** Requests that may be unanswered at a time; further requests wait. */
  readonly maxInFlight: number;
  /** A connection that was unused for longer is not healthy any more. */
  readonly idleMs: number;
  readonly clock: Clock;
  onClose(): void;
}

/** Many requests at a time on one socket; answers come in any order. */
export interface Connection {
  /** @throws NoAnswerError */
  request(request: Request, deadline: Deadline): Promise<Answer>;
  /** False once it should be replaced: it is closed, was idle or frozen for long, or left a request unanswered. */
  isHealthy(): boolean;
  /** Closes it once the last request in flight is settled; no new requests may be made. */
  retire(): void;
  close(): void;
}

interface Exchange {
  readonly request: Request;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  opaque: number | undefined;
  sentAtMs: number;
}

/** Wall clock and monotonic clock drift apart by more only if the process was frozen or moved. */
const MAX_CLOCK_DRIFT_MS = 2_000;

export function openConnection(socket: Socket, options: ConnectionOptions): Connection {
  const { address, clock, idleMs, maxInFlight } = options;
  const waiting = new Set<Exchange>();
  const inFlight = new Map<number, Exchange>();
  let lastOpaque = 0;
  let isFull = false;
  let isClosed = false;
  let isRetired = false;
  let isSilent = false;
  let receivedAtMs = clock.monotonicMs();
  let used = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };

  const frames = frameReader((frame) => {
    const answer = decodeAnswer(frame);
    // No exchange: a request of the server, or the answer to a request that has timed out.
    const exchange = answer && inFlight.get(answer.opaque);
    if (exchange) settle(exchange, () => exchange.resolve(answer));
  });

  // An idle connection does not keep the process alive; a request does, by its timer.
  socket.unref();
  socket.on('data', (chunk: Buffer) => {
    touch();
    receivedAtMs = clock.monotonicMs();
    try {
      frames.push(chunk);
    } catch (error) {
      end('lost', error as Error);
    }
  });
  socket.on('drain', () => {
    isFull = false;
    sendWaiting();
  });
  socket.on('error', (error) => end('lost', error));
  socket.on('close', () => end('lost', new Error('closed by the server')));

  function touch(): void {
    used = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() };
  }

  function settle(exchange: Exchange, how: () => void): void {
    clearTimeout(exchange.timer);
    waiting.delete(exchange);
    if (exchange.opaque !== undefined) inFlight.delete(exchange.opaque);
    how();
    sendWaiting();
    if (isRetired && inFlight.size + waiting.size === 0) end('closed');
  }

  function sendWaiting(): void {
    for (const exchange of waiting) {
      if (isFull || isClosed || inFlight.size >= maxInFlight) return;
      waiting.delete(exchange);
      send(exchange);
    }
  }

  function send(exchange: Exchange): void {
    const { request } = exchange;
    do lastOpaque = (lastOpaque + 1) & 0x7fff_ffff;
    while (inFlight.has(lastOpaque));
    exchange.opaque = lastOpaque;
    exchange.sentAtMs = clock.monotonicMs();
    inFlight.set(lastOpaque, exchange);
    touch();
    // Small requests of one tick leave in one packet.
    socket.cork();
    process.nextTick(() => socket.uncork());
    let hasRoom = socket.write(encodeRequest(lastOpaque, request));
    if (request.body !== undefined) hasRoom = socket.write(request.body);
    isFull = !hasRoom;
  }

  function expire(exchange: Exchange): void {
    const hasLeft = exchange.opaque !== undefined;
    if (hasLeft && receivedAtMs < exchange.sentAtMs) isSilent = true;
    settle(exchange, () => exchange.reject(late(hasLeft)));
  }

  function late(hasLeft: boolean): NoAnswerError {
    const what = hasLeft ? 'no answer in time' : 'no time left to send the request';
    return new NoAnswerError({ reason: 'timeout', address, hasLeft }, `${address}: ${what}`);
  }

  function end(reason: NoAnswerReason, cause?: Error): void {
    if (isClosed) return;
    isClosed = true;
    socket.destroy();
    for (const exchange of [...inFlight.values(), ...waiting]) {
      clearTimeout(exchange.timer);
      exchange.reject(failed(reason, exchange.opaque !== undefined, cause));
    }
    inFlight.clear();
    waiting.clear();
    options.onClose();
  }

  function failed(reason: NoAnswerReason, hasLeft: boolean, cause?: Error): NoAnswerError {
    const what = reason === 'closed' ? 'connection closed' : `connection lost: ${cause?.message}`;
    return new NoAnswerError({ reason, address, hasLeft }, `${address}: ${what}`, { cause });
  }

  return {
    request(request, deadline) {
      if (isClosed || socket.destroyed) return Promise.reject(failed('lost', false, new Error('it was closed')));
      if (deadline.leftMs() === 0) return Promise.reject(late(false));
      if ((request.body?.length ?? 0) > MAX_REQUEST_BYTES)
        return Promise.reject(new ProtocolError(`a request of more than ${MAX_REQUEST_BYTES} bytes`));
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => expire(exchange), deadline.leftMs());
        const exchange: Exchange = { request, timer, resolve, reject, opaque: undefined, sentAtMs: 0 };
        waiting.add(exchange);
        sendWaiting();
      });
    },
    isHealthy() {
      if (isClosed || isRetired || isSilent || socket.destroyed) return false;
      const byWallMs = clock.wallMs() - used.wallMs;
      const byMonotonicMs = clock.monotonicMs() - used.monotonicMs;
      return Math.max(byWallMs, byMonotonicMs) <= idleMs && Math.abs(byWallMs - byMonotonicMs) <= MAX_CLOCK_DRIFT_MS;
    },
    retire() {
      isRetired = true;
      if (inFlight.size + waiting.size === 0) end('closed');
    },
    close: () => end('closed'),
  };
}
