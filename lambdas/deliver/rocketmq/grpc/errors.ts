import type { ServiceError } from '@grpc/grpc-js';

/** gRPC's own codes (grpc.io, Status codes): nobody answered, or something else than a proxy did. */
export const grpcCodes = {
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a proxy says to a heartbeat of whom it knows nothing yet (UNRECOGNIZED_CLIENT_TYPE of apache.rocketmq.v2). */
export const CLIENT_NOT_KNOWN = 40_015;

export type CallName = 'queryRoute' | 'sendMessage' | 'heartbeat';

/** A call ended without an answer of a proxy. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly call: CallName;
  readonly address: string;
  /** One of gRPC's. */
  readonly code: number;
  /** What gRPC says, without the host: that may be named after anything. */
  readonly reason: string;
  constructor(call: CallName, address: string, cause: ServiceError) {
    super(`${address}: ${cause.message}`, { cause });
    this.call = call;
    this.address = address;
    this.code = cause.code;
    this.reason = cause.message.replaceAll(address.replace(/:\d+$/, ''), '');
  }

  /** Whether there was no connection that it could have left by. */
  get isUnsent(): boolean {
    return this.code === grpcCodes.unavailable && /no connection established/i.test(this.reason);
  }
}
