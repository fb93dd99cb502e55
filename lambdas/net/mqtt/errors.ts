import { reasonText } from './reason-codes.ts';

/** The broker refused the connection: a CONNACK with another code than success. */
export class ConnectionRefusedError extends Error {
  override readonly name = 'ConnectionRefusedError';
  /** Return code of MQTT 3.1 and 3.1.1, reason code of MQTT 5. */
  readonly code: number;
  readonly protocolVersion: 3 | 4 | 5;
  constructor(code: number, protocolVersion: 3 | 4 | 5, reason?: string) {
    super(`CONNACK ${reasonText(code, protocolVersion)}${reason === undefined ? '' : `: ${reason}`}`);
    this.code = code;
    this.protocolVersion = protocolVersion;
  }
}

export interface ConnectionClosedOptions extends ErrorOptions {
  /** @default false */
  readonly isByClient?: boolean;
  readonly code?: number;
  /** @default false */
  readonly isExplained?: boolean;
}

/** The connection ended, so that it is unknown whether the broker received what it had not acknowledged. */
export class ConnectionClosedError extends Error {
  override readonly name = 'ConnectionClosedError';
  /** Whether this client ended it: after a time-out, a malformed packet, or on request. Else the broker or the network did. */
  readonly isByClient: boolean;
  /** Reason code of the broker's DISCONNECT; MQTT 5 only. */
  readonly code: number | undefined;
  /** Whether the last acknowledgement before it refused a message, which makes some brokers close the connection. */
  readonly isExplained: boolean;
  constructor(message: string, options: ConnectionClosedOptions = {}) {
    super(message, { cause: options.cause });
    this.isByClient = options.isByClient ?? false;
    this.code = options.code;
    this.isExplained = options.isExplained ?? false;
  }
}

/** The broker did not answer in time. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}
