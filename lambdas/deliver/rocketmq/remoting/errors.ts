import { show } from '../../../core/errors.ts';

/** A server answered with a result code that is no success. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: number;
  readonly remark: string;
  /** Who answered, 'host:port'. */
  readonly address: string;
  constructor(address: string, code: number, remark: string) {
    super(`${address} answered code ${code}${remark === '' ? '' : `: ${oneLine(remark)}`}`);
    this.address = address;
    this.code = code;
    this.remark = remark;
  }
}

/** Why there is no answer: no connection came about, it was lost, time ran out, or we closed it. */
export type NoAnswerReason = 'unreachable' | 'lost' | 'timeout' | 'closed';

/** Nobody answered. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly reason: NoAnswerReason;
  readonly address: string;
  /** Whether the request had left: what it asked for is then perhaps done. */
  readonly hasLeft: boolean;
  constructor(
    { reason, address, hasLeft }: Pick<NoAnswerError, 'reason' | 'address' | 'hasLeft'>,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.reason = reason;
    this.address = address;
    this.hasLeft = hasLeft;
  }
}

/** Name servers answer, a broker lives, and none of them knows the topic. */
export class MissingTopicError extends Error {
  override readonly name = 'MissingTopicError';
}

/** Bytes that are no frame of the remoting protocol. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Servers put stack traces into remarks. */
function oneLine(remark: string): string {
  return show(remark.replace(/\s+/g, ' ').trim()).replace(/^'|'$/g, '');
}
