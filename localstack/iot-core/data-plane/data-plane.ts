import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Broker } from '../broker/broker.ts';
import { quotas } from '../broker/limits.ts';
import { ApiError, forbidden, invalidRequest, toApiError, tooLarge } from './api-error.ts';
import { readPublishRequest } from './publish-request.ts';

export interface DataPlaneOptions {
  readonly broker: Pick<Broker, 'publish' | 'retained'>;
  /** @default '127.0.0.1', which other machines cannot reach */
  readonly host?: string;
  /** @default - a free port */
  readonly port?: number | undefined;
  /** Whether the caller's policy denies a topic. @default - signatures and policies are not checked */
  readonly denies?: ((topic: string) => boolean) | undefined;
}

/** The HTTP API of AWS IoT Core's data plane, on one port. */
export interface DataPlane {
  /** For clients of the AWS SDK: `new IoTDataPlaneClient({ endpoint })`. */
  readonly endpointUrl: string;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/** Headers with MQTT 5 properties at their quotas, in base64, exceed Node's default of 16 KiB. */
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * Serves Publish and GetRetainedMessage (AWS IoT API reference, "AWS IoT data"). A call succeeds once the rules' actions are done, as a
 * QoS 1 publish of an MQTT client is acknowledged then.
 */
export async function startDataPlane(options: DataPlaneOptions): Promise<DataPlane> {
  const { host = '127.0.0.1', port = 0 } = options;
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    void respond(request, response, options);
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return {
    endpointUrl: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, options: DataPlaneOptions): Promise<void> {
  const id = randomUUID();
  try {
    const body = await answer(request, options);
    response.writeHead(200, { 'content-type': 'application/json', 'x-amzn-requestid': id });
    response.end(JSON.stringify({ ...body, traceId: id }));
  } catch (error) {
    const { status, type, message } = toApiError(error);
    response.writeHead(status, {
      'content-type': 'application/json',
      'x-amzn-requestid': id,
      'x-amzn-errortype': type,
    });
    response.end(JSON.stringify({ message, traceId: id }));
  }
}

async function answer(request: IncomingMessage, options: DataPlaneOptions): Promise<object> {
  // Not by URL, which resolves the topics `.` and `..` as relative paths.
  const [, resource, path, query] = /^\/(topics|retainedMessage)\/([^?]+)(?:\?(.*))?$/.exec(request.url ?? '') ?? [];
  if (path === undefined) throw new ApiError(404, 'ResourceNotFoundException', `path: got ${request.url}`);
  const topic = decoded(path);
  if (options.denies?.(topic)) throw forbidden(`not authorized to use the topic ${topic}`);
  if (resource === 'topics' && request.method === 'POST')
    return publish(topic, new URLSearchParams(query), request, options);
  if (resource === 'retainedMessage' && request.method === 'GET') return retainedMessage(topic, options);
  throw new ApiError(405, 'MethodNotAllowedException', `method: got ${request.method} for /${resource}`);
}

async function publish(
  topic: string,
  query: URLSearchParams,
  request: IncomingMessage,
  { broker }: DataPlaneOptions,
): Promise<object> {
  const { qos, retain, properties } = readPublishRequest(query, request.headers);
  const payload = await bodyOf(request);
  await broker.publish({
    topic,
    payload,
    qos,
    retain,
    properties,
    protocol: 'HTTP',
    protocolVersion: 5,
    traceId: undefined,
    sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
  });
  return { message: 'OK' };
}

function retainedMessage(topic: string, { broker }: DataPlaneOptions): object {
  const found = broker.retained(topic);
  if (found === undefined) throw new ApiError(404, 'ResourceNotFoundException', `no retained message of ${topic}`);
  return {
    topic,
    payload: Buffer.from(found.payload).toString('base64'),
    qos: found.qos,
    lastModifiedTime: found.timestamp,
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const isWithin = () => bytes <= quotas.payloadBytes;
  // The client reads the response once its body is sent, so the rest of a body that is too large is read as well.
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (isWithin()) chunks.push(chunk as Buffer);
  }
  if (!isWithin()) throw tooLarge(`payload: got ${bytes} bytes; expected at most ${quotas.payloadBytes}`);
  return Buffer.concat(chunks);
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw invalidRequest('topic: expected UTF-8 in percent-encoding', cause);
  }
}
