import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Calls Toxiproxy's HTTP API. A call that gets no answer is repeated, so each call must be one that Toxiproxy may carry
 * out twice.
 *
 * @returns the answer's JSON; `undefined` for an empty answer
 * @throws NoAnswerError if Toxiproxy answers no attempt
 * @throws Error with the call and the answer if Toxiproxy refuses the call
 */
export type ControlApi = (
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  body?: object,
  options?: CallOptions,
) => Promise<unknown>;

export interface CallOptions {
  /** @default 3 */
  readonly attempts?: number;
}

export interface ControlApiOptions {
  readonly port: number;
  /** Time limit for one attempt. */
  readonly timeoutMs: number;
  /** Why the Toxiproxy process has ended; `undefined` while it runs. */
  readonly ended: () => Error | undefined;
  /** The last lines that Toxiproxy has logged. */
  readonly log: () => string;
}

/** Toxiproxy has answered no attempt of a call. */
export class NoAnswerError extends Error {}

const ATTEMPTS = 3;
const PAUSE_MS = 50;
const CONFLICT = 409;

export function openControlApi({ port, timeoutMs, ended, log }: ControlApiOptions): ControlApi {
  const attempt = async (method: string, path: string, body: object | undefined) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, isOk: response.ok, text: await response.text() };
  };
  return async (method, path, body, { attempts = ATTEMPTS } = {}) => {
    const call = `${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`;
    let cause: unknown;
    let made = 0;
    while (made < attempts && ended() === undefined) {
      if (made > 0) await sleep(PAUSE_MS);
      made++;
      try {
        const { status, isOk, text } = await attempt(method, path, body);
        // Toxiproxy may have carried out an earlier attempt without answering it.
        if (isOk || (status === CONFLICT && made > 1)) return text === '' ? undefined : JSON.parse(text);
        throw new RefusedError(`fault proxy: ${call}: ${status} ${text.trim()}`);
      } catch (error) {
        if (error instanceof RefusedError) throw error;
        cause = error;
      }
    }
    throw new NoAnswerError(
      `fault proxy: no answer to ${call} (${made} attempts, each within ${timeoutMs / 1000} s). ` +
        `Close this fault proxy and start another. Its log: ${log() || 'empty'}`,
      { cause: ended() ?? cause },
    );
  };
}

class RefusedError extends Error {}
