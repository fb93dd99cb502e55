import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { Credentials } from './acl.ts';

const TIMEOUT_MS = 5_000;
const OK = 20_000;

export interface Access {
  readonly credentials?: Credentials;
  /** Certificate of the authority that signed the proxy's, PEM. @default - no TLS */
  readonly ca?: string;
}

/**
 * Whether the proxy has a route to a topic. Asks by `QueryRoute` of apache.rocketmq.v2, every client's first call.
 *
 * @throws Error if the proxy does not answer within 5 s
 */
export async function hasRoute(endpoints: string, topic: string, { credentials, ca }: Access): Promise<boolean> {
  const session = connect(`${ca ? 'https' : 'http'}://${endpoints}`, { ca });
  // The request fails with the same error.
  session.on('error', () => {});
  try {
    const request = session.request({
      ':method': 'POST',
      ':path': '/apache.rocketmq.v2.MessagingService/QueryRoute',
      'content-type': 'application/grpc',
      te: 'trailers',
      'x-mq-client-id': 'outflow',
      'x-mq-language': 'JAVA',
      'x-mq-client-version': '5.0.0',
      'x-mq-protocol': 'v2',
      ...(credentials && signature(credentials)),
    });
    request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    const resource = field(2, Buffer.from(topic));
    request.end(frame(field(1, resource)));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(request, 'end');
    return codeOf(Buffer.concat(chunks)) === OK;
  } finally {
    session.destroy();
  }
}

function signature({ accessKey, secretKey }: Credentials): Record<string, string> {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const signed = createHmac('sha1', secretKey).update(time).digest('hex').toUpperCase();
  const parts = [`Credential=${accessKey}`, 'SignedHeaders=x-mq-date-time', `Signature=${signed}`];
  return { 'x-mq-date-time': time, authorization: `MQv2-HMAC-SHA1 ${parts.join(', ')}` };
}

/** A gRPC frame: a zero byte (not compressed), the length, the message. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** A protobuf field of type bytes. */
function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(value.length)]), value]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Reads `status.code` of a QueryRouteResponse: field 1 of the message in field 1. */
function codeOf(answer: Buffer): number {
  const status = answer.subarray(5);
  // A tag is the field's number and its wire type: 0x0a is field 1 with a length and bytes, 0x08 is field 1 with a varint.
  const code = status[0] === 0x0a ? status.indexOf(0x08, 2) + 1 : 0;
  if (code === 0) throw new Error(`not a QueryRouteResponse: ${answer.toString('hex') || 'empty answer'}`);
  const end = status.findIndex((byte, at) => at >= code && byte < 0x80) + 1;
  return status.subarray(code, end).reduceRight((value, byte) => (value << 7) | (byte & 0x7f), 0);
}
