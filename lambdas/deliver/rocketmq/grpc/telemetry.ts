import { hostname, platform } from 'node:os';
import { debuglog } from 'node:util';
import v2, { type Endpoints } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import v2Service from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import type { Clock } from '../../../net/clock.ts';
import { type Deadline, deadlineIn } from '../../../net/deadline.ts';
import type { Calls } from './calls.ts';
import { checkStatus } from './errors.ts';
import { CLIENT_VERSION } from './metadata.ts';
import type { Server } from './route.ts';

/**
 * Registers this client with servers: a telemetry stream carries the settings of both sides, and heartbeats keep the client
 * registered. Messages are sent without waiting for either. No timer renews them: Lambda freezes timers with the sandbox.
 */
export interface Telemetry {
  /** The largest body that servers take, in bytes: 4194304 until one reports its own. */
  readonly maxBodyBytes: number;
  /** Opens the first stream to a server. Every 10 s, sends a heartbeat in the background. @param topic A topic that is sent to. */
  refresh(to: Server, topic: string): void;
  /**
   * Opens the stream to a server unless it is open, and sends a heartbeat until the server recognises this client.
   *
   * @throws NoAnswerError, RefusedError
   */
  heartbeat(to: Server, topic: string | undefined, deadline: Deadline): Promise<void>;
}

export interface TelemetryOptions {
  readonly calls: Pick<Calls, 'heartbeat' | 'telemetry'>;
  /** Of the configured proxy. */
  readonly accessPoint: Endpoints;
  /** '' when there is none. */
  readonly namespace: string;
  /** Of heartbeats in the background, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const log = debuglog('outflow-rocketmq');
const DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024;
const HEARTBEAT_EVERY_MS = 10_000;
const RETRY_AFTER_MS = 50;

export function openTelemetry({ calls, accessPoint, namespace, timeoutMs, clock }: TelemetryOptions): Telemetry {
  const sessions = new Map<string, { isOpen: boolean; refreshedAtMs: number }>();
  const userAgent = describeClient();
  let maxBodyBytes = DEFAULT_MAX_BODY_BYTES;

  function open(to: Server, topic: string | undefined) {
    const session = { isOpen: true, refreshedAtMs: clock.wallMs() };
    const stream = calls.telemetry(to);
    stream.on('data', (command) => {
      maxBodyBytes = command.getSettings()?.getPublishing()?.getMaxBodySize() || maxBodyBytes;
      if (command.hasReconnectEndpointsCommand()) stream.cancel();
    });
    // Without a listener, an error would end the process.
    stream.on('error', (error) => log('telemetry stream to %s: %s', to.address, error.message));
    stream.once('status', () => {
      session.isOpen = false;
    });
    const publishing = new v2.Publishing();
    if (topic !== undefined) publishing.addTopics().setName(topic).setResourceNamespace(namespace);
    const settings = new v2.Settings()
      .setClientType(v2.ClientType.PRODUCER)
      .setAccessPoint(accessPoint)
      .setPublishing(publishing)
      .setUserAgent(userAgent);
    stream.write(new v2Service.TelemetryCommand().setSettings(settings));
    sessions.set(to.address, session);
    return session;
  }

  async function heartbeat(to: Server, topic: string | undefined, deadline: Deadline): Promise<void> {
    const known = sessions.get(to.address);
    const session = known?.isOpen ? known : open(to, topic);
    session.refreshedAtMs = clock.wallMs();
    const request = new v2Service.HeartbeatRequest().setClientType(v2.ClientType.PRODUCER);
    for (;;) {
      const status = (await calls.heartbeat(to, request, deadline)).getStatus();
      // A heartbeat may overtake the settings, without which a server recognises no client.
      const isRecognised = status?.getCode() !== v2.Code.UNRECOGNIZED_CLIENT_TYPE;
      if (isRecognised || deadline.leftMs() <= RETRY_AFTER_MS) return checkStatus(to.address, status);
      await clock.sleep(RETRY_AFTER_MS);
    }
  }

  return {
    get maxBodyBytes() {
      return maxBodyBytes;
    },
    refresh(to, topic) {
      const session = sessions.get(to.address);
      if (session === undefined) open(to, topic);
      else if (clock.wallMs() - session.refreshedAtMs >= HEARTBEAT_EVERY_MS)
        heartbeat(to, topic, deadlineIn(timeoutMs, clock)).catch((error) => log('heartbeat: %s', error.message));
    },
    heartbeat,
  };
}

/** How a client describes itself to servers. */
export function describeClient() {
  return new v2.UA()
    .setLanguage(v2.Language.NODE_JS)
    .setVersion(CLIENT_VERSION)
    .setPlatform(platform())
    .setHostname(hostname());
}
