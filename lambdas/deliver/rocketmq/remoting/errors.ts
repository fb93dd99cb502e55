import { show } from '../../../core/errors.ts';
import { bounded } from '../remark.ts';

/** A server answered with a result code other than success. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly code: number;
  /** The beginning of the server's text. */
  readonly remark: string;
  /** `host:port` of the server. */
  readonly address: string;
  constructor(address: string, code: number, remark: string) {
    const text = bounded(remark);
    super(`${address} answered code ${code}${text === '' ? '' : `: ${oneLine(text)}`}`);
    this.address = address;
    this.code = code;
    this.remark = text;
  }
}

/** Why there is no answer: no connection was opened, it was lost, the time was over, or the client closed it. */
export type NoAnswerReason = 'unreachable' | 'lost' | 'timeout' | 'closed';

/** A server did not answer. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly reason: NoAnswerReason;
  readonly address: string;
  /** Whether the request was written to the socket: then the server may have executed it. */
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

/** Name servers answered and a broker is live, but none of them knows the topic. */
export class MissingTopicError extends Error {
  override readonly name = 'MissingTopicError';
}

/** The topic has the name of a broker or a cluster, which brokers use themselves. */
export class ServerTopicError extends Error {
  override readonly name = 'ServerTopicError';
}

/** A server sent bytes that are not valid in the remoting protocol. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Servers put stack traces into remarks. */
function oneLine(remark: string): string {
  return show(remark.replace(/\s+/g, ' ').trim()).replace(/^'|'$/g, '');
}
