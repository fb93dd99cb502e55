import type { Socket } from 'node:net';
import type { Clock } from '../../../net/clock.ts';
import { type Deadline, deadlineIn } from '../../../net/deadline.ts';
import { dial, type UnreachableError } from '../../../net/dial.ts';
import type { TlsOptions } from '../../../net/tls.ts';
import type { Answer, Request } from './command.ts';
import { type Connection, openConnection } from './connection.ts';
import { NoAnswerError } from './errors.ts';

export interface PoolOptions {
  readonly tls: TlsOptions | false;
  readonly connectTimeoutMs: number;
  readonly maxInFlight: number;
  readonly idleMs: number;
  readonly clock: Clock;
}

/** Keeps one connection per address, opened on demand. */
export interface Pool {
  /** @throws NoAnswerError, ProtocolError */
  request(address: string, request: Request, deadline: Deadline): Promise<Answer>;
  /** Closes the connection to the address after its requests in flight. The next request opens a new one. */
  replace(address: string): void;
  /** Ends the requests in flight, and refuses new ones. */
  close(): void;
}

export function openPool({ tls, connectTimeoutMs, maxInFlight, idleMs, clock }: PoolOptions): Pool {
  const connections = new Map<string, Promise<Connection>>();
  const opened = new Set<Connection>();
  let isClosed = false;

  async function open(address: string, deadline: Deadline): Promise<Connection> {
    const socket = await connectTo(address, deadlineIn(connectTimeoutMs, clock, deadline));
    const connection = openConnection(socket, {
      address,
      maxInFlight,
      idleMs,
      clock,
      onClose: () => opened.delete(connection),
    });
    opened.add(connection);
    if (isClosed) connection.close();
    return connection;
  }

  async function connectTo(address: string, deadline: Deadline): Promise<Socket> {
    try {
      return await dial(address, tls, deadline.leftMs());
    } catch (error) {
      const { message, cause } = error as UnreachableError;
      throw new NoAnswerError({ reason: 'unreachable', address, hasLeft: false }, message, { cause });
    }
  }

  /** Returns the connection to an address; concurrent callers share it. */
  async function connect(address: string, deadline: Deadline): Promise<Connection> {
    for (;;) {
      if (isClosed)
        throw new NoAnswerError({ reason: 'closed', address, hasLeft: false }, `${address}: the producer is closed`);
      const known = connections.get(address);
      if (known === undefined) break;
      const connection = await known;
      if (connections.get(address) !== known) continue;
      if (connection.isHealthy()) return connection;
      connections.delete(address);
      connection.retire();
    }
    const fresh = open(address, deadline);
    connections.set(address, fresh);
    try {
      return await fresh;
    } catch (error) {
      if (connections.get(address) === fresh) connections.delete(address);
      throw error;
    }
  }

  return {
    async request(address, request, deadline) {
      return (await connect(address, deadline)).request(request, deadline);
    },
    replace(address) {
      const known = connections.get(address);
      connections.delete(address);
      known?.then(
        (connection) => connection.retire(),
        () => {}, // The caller that opened it has its error.
      );
    },
    close() {
      isClosed = true;
      for (const connection of opened) connection.close();
      connections.clear();
    },
  };
}
