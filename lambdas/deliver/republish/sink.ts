import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { GetRetainedMessageCommand, IoTDataPlaneClient, PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry, type RetryLater, StopTask, show } from '../../core/errors.ts';
import { isRendered } from '../../core/jsonpath/expression.ts';
import type { MqttProperties } from '../../core/mqtt/properties.ts';
import { orderedDelivery } from '../ordered.ts';
import { LOCAL_CREDENTIALS, type Outcome, type Sink, type SinkEnvironment } from '../sink.ts';
import { classifyCall } from './classify.ts';
import { literalStart, type RepublishOptions, TOPIC } from './config.ts';
import type { RepublishRequest } from './render.ts';

// The SDK repeats a failed call once; further attempts are the task's retry policy.
const SDK_ATTEMPTS = 2;
const CONNECTION_TIMEOUT_MS = 2_000;
const REQUEST_TIMEOUT_MS = 8_000;
/** Longest that a call may take; none is started with less time left. */
const CALL_MS = SDK_ATTEMPTS * REQUEST_TIMEOUT_MS + 1_000;
/** Waits before messages that were throttled are sent again, in milliseconds, each shortened by up to half at random. */
const RESEND_AFTER_MS = [100, 300, 900];

/** The last part of the topic of the connectivity test when a template names the topics. */
const SOME_TOPIC = 'outflow-connectivity-test';

/** The part of a client that the sink uses. */
export type DataPlane = Pick<IoTDataPlaneClient, 'send' | 'destroy'>;

/**
 * Delivers to AWS IoT Core by its data plane's Publish API, at `data-ats.iot.<region>.amazonaws.com` by default. The SDK's variable
 * `AWS_ENDPOINT_URL_IOT_DATA_PLANE` names another endpoint.
 */
export function openRepublish(
  options: Resolved<RepublishOptions>,
  { endpointUrl, env }: SinkEnvironment,
): Sink<RepublishRequest> {
  return republishSink(options, () => {
    // By default, the SDK has 50 sockets.
    const agent = { keepAlive: true, maxSockets: options.inflightWindow };
    return new IoTDataPlaneClient({
      maxAttempts: SDK_ATTEMPTS,
      ...(endpointUrl !== undefined && {
        endpoint: endpointUrl,
        region: env['AWS_REGION'] ?? 'us-east-1',
        credentials: LOCAL_CREDENTIALS,
      }),
      requestHandler: new NodeHttpHandler({
        connectionTimeout: CONNECTION_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        throwOnRequestTimeout: true,
        httpAgent: new HttpAgent(agent),
        httpsAgent: new HttpsAgent(agent),
      }),
    });
  });
}

export function republishSink(options: Resolved<RepublishOptions>, connect: () => DataPlane): Sink<RepublishRequest> {
  let client: DataPlane | undefined;

  async function publish(request: RepublishRequest): Promise<Outcome> {
    const { topic, qos, retain, payload, properties } = request;
    if (!request.isTopicRendered) checkTopic(topic);
    const isOfMessage = request.isTopicRendered || (retain && request.isRetainRendered);
    client ??= connect();
    try {
      const { $metadata } = await client.send(
        new PublishCommand({ topic, qos, retain, payload, ...asHeaders(properties) }),
        // The client's timeout ends with the response headers; without this signal, a body that ends early is awaited forever.
        { abortSignal: AbortSignal.timeout(CALL_MS) },
      );
      return { status: 'delivered', ...($metadata.requestId !== undefined && { receipt: $metadata.requestId }) };
    } catch (error) {
      throw classifyCall(error, { name: topic, isRendered: isOfMessage });
    }
  }

  /** Reads the retained message of a topic, which publishes nothing and needs the same access. */
  async function probe(topic: string, isNamedByMessage: boolean): Promise<string> {
    if (!isNamedByMessage) checkTopic(topic);
    client ??= connect();
    try {
      await client.send(new GetRetainedMessageCommand({ topic }));
    } catch (error) {
      if ((error as Error).name === 'ResourceNotFoundException') return `AWS IoT Core accepts topic ${topic}`;
      const found: RetryLater | NeverRetry | StopTask = classifyCall(
        error,
        { name: topic, isRendered: isNamedByMessage },
        'GetRetainedMessage',
      );
      // Which topics there are is only known with each message.
      if (!(found instanceof NeverRetry) || !isNamedByMessage) throw found;
      return `AWS IoT Core answers; it refuses topic ${topic}`;
    }
    return `AWS IoT Core accepts topic ${topic}`;
  }

  return {
    deliver: orderedDelivery({
      orderKey: ({ topic }, order) => (order === undefined ? undefined : topic),
      maxConcurrency: options.inflightWindow,
      minTimeMs: CALL_MS,
      resendAfterMs: RESEND_AFTER_MS,
      send: async ([request]) => [await publish(request!)],
    }),
    async testConnectivity(targets = [options.topic]) {
      const found: string[] = [];
      for (const target of targets) {
        const isNamedByMessage = isRendered(target);
        found.push(await probe(isNamedByMessage ? exampleOf(target, options.topics) : target, isNamedByMessage));
      }
      return found.join('; ');
    },
    close() {
      client?.destroy();
    },
  };
}

/** Judges names that were unknown until deployment; others were judged at synth, or when they were rendered. @throws StopTask */
function checkTopic(topic: string): void {
  if (!TOPIC.isMet(topic)) throw new StopTask(`topic: got ${show(topic)}; expected ${TOPIC.expected}`);
}

/** A topic that the worker may publish to if it may publish to what the template names. */
function exampleOf(template: string, topics: readonly string[] | undefined): string {
  const [allowed = `${literalStart(template)}*`] = topics ?? [];
  return allowed.replace(/\*$/, SOME_TOPIC);
}

/** The properties as the API takes them: the SDK encodes the user properties' JSON in base64. */
function asHeaders({ userProperties, payloadFormatIndicator, ...properties }: MqttProperties) {
  const { contentType, responseTopic, correlationData, messageExpirySeconds } = properties;
  return {
    userProperties: JSON.stringify(userProperties.map((pair) => Object.fromEntries([pair]))),
    ...(payloadFormatIndicator !== undefined && {
      payloadFormatIndicator: payloadFormatIndicator === 1 ? ('UTF8_DATA' as const) : ('UNSPECIFIED_BYTES' as const),
    }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData).toString('base64') }),
    ...(messageExpirySeconds !== undefined && { messageExpiry: messageExpirySeconds }),
  };
}
