import { ProtocolError } from './errors.ts';
import { encodeHead, type Frame } from './frame.ts';

/** Request codes (class RequestCode of RocketMQ). */
export const requestCodes = {
  pullMessage: 11,
  heartBeat: 34,
  getRouteInfoByTopic: 105,
  getBrokerClusterInfo: 106,
  sendMessageV2: 310,
  sendBatchMessage: 320,
} as const;

/** Result codes that the client distinguishes (class ResponseCode of RocketMQ). */
export const resultCodes = {
  success: 0,
  systemError: 1,
  systemBusy: 2,
  requestCodeNotSupported: 3,
  flushDiskTimeout: 10,
  slaveNotAvailable: 11,
  flushSlaveTimeout: 12,
  messageIllegal: 13,
  serviceNotAvailable: 14,
  versionNotSupported: 15,
  noPermission: 16,
  topicNotExist: 17,
  subscriptionGroupNotExist: 26,
  invalidParameter: 29,
  flowControl: 215,
  /** RocketMQ 5 is about to close the connection. */
  goAway: 1500,
} as const;

/** Version number of RocketMQ 5.0.0 (class MQVersion, a list of versions). */
export const VERSION_5 = 413;

export interface Request {
  readonly code: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface Answer {
  readonly opaque: number;
  readonly code: number;
  /** The server's text about the code; '' if there is none. */
  readonly remark: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Version number of the server. */
  readonly version: number;
}

const IS_ANSWER = 1;

/** Encodes a request, except for its body. `opaque` identifies it; every server knows the language 'OTHER'. */
export function encodeRequest(opaque: number, { code, fields, body }: Request): Buffer {
  const header = { code, language: 'OTHER', version: 0, opaque, flag: 0, extFields: fields };
  return encodeHead(JSON.stringify(header), body?.length ?? 0);
}

/** @returns undefined for a request of the server, such as a check of a transaction. @throws ProtocolError */
export function decodeAnswer({ header, body }: Frame): Answer | undefined {
  const { opaque, code, flag, remark, extFields, version } = parseHeader(header);
  if (!isInteger(flag) || !isInteger(opaque) || !isInteger(code))
    throw new ProtocolError('a header without flag, opaque and code as whole numbers');
  if ((flag & IS_ANSWER) === 0) return undefined;
  return {
    opaque,
    code,
    remark: typeof remark === 'string' ? remark : '',
    fields: new Map(Object.entries(extFields ?? {}).filter((field): field is [string, string] => isText(field[1]))),
    body,
    version: isInteger(version) ? version : 0,
  };
}

function parseHeader(header: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(header.toString('utf8'));
  } catch (error) {
    throw new ProtocolError('a header that is not JSON', { cause: error });
  }
  if (typeof value !== 'object' || value === null) throw new ProtocolError('a header that is not a JSON object');
  return value as Record<string, unknown>;
}

const isInteger = (value: unknown): value is number => Number.isInteger(value);
const isText = (value: unknown): value is string => typeof value === 'string';
