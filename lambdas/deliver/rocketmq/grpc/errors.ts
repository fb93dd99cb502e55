import type { ServiceError } from '@grpc/grpc-js';
import type { Status } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import { bounded } from '../remark.ts';

/** Status codes of gRPC (grpc.io, Status codes): no proxy answered, or something that is not a proxy did. */
export const grpcCodes = {
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export type CallName = 'queryRoute' | 'sendMessage' | 'heartbeat' | 'telemetry' | 'receiveMessage' | 'ackMessage';

/** A call ended without the answer of a proxy. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly call: CallName;
  readonly address: string;
  /** One of gRPC's status codes. */
  readonly code: number;
  /** gRPC's message without the host, whose name may hold any word. */
  readonly reason: string;
  constructor(call: CallName, address: string, cause: ServiceError) {
    const text = bounded(cause.message);
    super(`${address}: ${text}`, { cause });
    this.call = call;
    this.address = address;
    this.code = cause.code;
    this.reason = text.replaceAll(address.replace(/:\d+$/, ''), '');
  }

  /** Whether the call never had a connection, so that nothing was sent. */
  get isUnsent(): boolean {
    return this.code === grpcCodes.unavailable && /no connection established/i.test(this.reason);
  }
}

/** A proxy answered with a status that is not a success. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  /** Five digits (enum Code of apache.rocketmq.v2). */
  readonly code: number;
  /** The beginning of the proxy's text. */
  readonly remark: string;
  constructor(address: string, code: number, remark: string) {
    const text = bounded(remark);
    super(`${address} answered code ${code}${text === '' ? '' : `: ${text}`}`);
    this.code = code;
    this.remark = text;
  }
}

/** OK, and MULTIPLE_RESULTS, which leaves it to the entries of an answer. */
const SUCCESS: ReadonlySet<number> = new Set([20_000, 30_000]);

/** @throws RefusedError unless the status is a success. */
export function checkStatus(address: string, status: Status | undefined): void {
  if (status !== undefined && !SUCCESS.has(status.getCode()))
    throw new RefusedError(address, status.getCode(), status.getMessage());
}
