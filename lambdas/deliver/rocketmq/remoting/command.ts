import { ProtocolError } from './errors.ts';
import { encodeHead, type Frame } from './frame.ts';

/** Request codes, as the servers name them. */
export const requestCodes = {
  heartBeat: 34,
  getRouteInfoByTopic: 105,
  getBrokerClusterInfo: 106,
  sendMessageV2: 310,
  sendBatchMessage: 320,
} as const;

/** Result codes that are looked at by number; the others mean what their remark says. */
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
  invalidParameter: 29,
  flowControl: 215,
  /** 5.x: the server is about to close the connection. */
  goAway: 1500,
} as const;

/** What servers call themselves by number: the place in a list, in which 5.0.0 is the 413th. */
export const VERSION_5 = 413;

export interface Request {
  readonly code: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface Answer {
  readonly opaque: number;
  readonly code: number;
  /** What a server says about the code; '' when it says nothing. */
  readonly remark: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Version of the server, by number. */
  readonly version: number;
}

const IS_ANSWER = 1;

/** A request without its body, numbered by `opaque`. Every server knows the language 'OTHER'. */
export function encodeRequest(opaque: number, { code, fields, body }: Request): Buffer {
  const header = { code, language: 'OTHER', version: 0, opaque, flag: 0, extFields: fields };
  return encodeHead(JSON.stringify(header), body?.length ?? 0);
}

/** Undefined for what is no answer: servers ask clients, too, about transactions and the like. @throws ProtocolError */
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
