import { InvalidOptionError } from '../../../core/errors.ts';
import { checkAddress } from '../../../net/address.ts';
import { type Clock, systemClock } from '../../../net/clock.ts';
import type { TlsOptions } from '../../../net/tls.ts';
import type { CredentialsSource } from '../credentials.ts';

export interface ProducerOptions {
  /** `host:port` each. One that answers is enough; one that failed recently is tried last. */
  readonly nameServers: readonly string[];
  /** Credentials for brokers with access control. @default - none */
  readonly credentials?: CredentialsSource;
  /** For name servers and brokers. @default false */
  readonly tls?: TlsOptions | false;
  /** Instance id, the prefix of topics and groups: `<namespace>%<topic>`. @default - no prefix */
  readonly namespace?: string;
  /** @default 'outflow' */
  readonly producerGroup?: string;
  /** Longest that one request may take with all its attempts, in milliseconds. @default 3000 */
  readonly timeoutMs?: number;
  /** Longest that opening a connection may take with its TLS handshake, in milliseconds. @default 1000 */
  readonly connectTimeoutMs?: number;
  /** A route older than this is queried again before it is used, in milliseconds. @default 5000 */
  readonly refreshTopicRouteIntervalMs?: number;
  /** A connection unused for longer is replaced, in milliseconds: a frozen sandbox does not notice when a server closes it. @default 60000 */
  readonly idleMs?: number;
  /** How long a server that failed is tried last, in milliseconds. @default 30000 */
  readonly backoffMs?: number;
  /** Requests at a time, over all topics; 1 sends one after the other. @default 16 */
  readonly maxInFlight?: number;
  /** Messages per batch; 1 sends each alone. @default 100 */
  readonly maxBatchMessages?: number;
  /** Bytes per batch; lowered to a broker's limit once it answers with one. @default 4128768, that is 64 KiB below 4 MiB */
  readonly maxBatchBytes?: number;
  /** Limit for a message's body, in bytes. @default 4128768 */
  readonly maxMessageBytes?: number;
  /** Lets brokers create topics with their first message, if they are configured to. @default - those that no message named */
  readonly autoCreateTopics?: boolean;
  /** Queues of such a topic per broker. @default 4 */
  readonly defaultTopicQueueNums?: number;
  /** @default - the system's */
  readonly clock?: Clock;
}

/** Below a broker's 4 MiB: consumers have the same limit for a message with its properties. */
const BELOW_4_MIB = 4 * 1024 * 1024 - 64 * 1024;
const NAMESPACE = /^[a-zA-Z0-9_-]{1,64}$/;

const DEFAULTS = {
  tls: false as const,
  producerGroup: 'outflow',
  timeoutMs: 3_000,
  connectTimeoutMs: 1_000,
  refreshTopicRouteIntervalMs: 5_000,
  idleMs: 60_000,
  backoffMs: 30_000,
  maxInFlight: 16,
  maxBatchMessages: 100,
  maxBatchBytes: BELOW_4_MIB,
  maxMessageBytes: BELOW_4_MIB,
  defaultTopicQueueNums: 4,
  clock: systemClock,
};
const COUNTS = [
  'timeoutMs',
  'connectTimeoutMs',
  'maxInFlight',
  'maxBatchMessages',
  'maxBatchBytes',
  'maxMessageBytes',
  'defaultTopicQueueNums',
] as const;
const SPANS = ['refreshTopicRouteIntervalMs', 'idleMs', 'backoffMs'] as const;

/** Returns the options with all defaults. @throws InvalidOptionError */
export function withDefaults(options: ProducerOptions) {
  const { nameServers, namespace } = options;
  if (nameServers.length === 0) throw new InvalidOptionError('nameServers', nameServers, 'at least one address');
  for (const address of nameServers) checkAddress('nameServers', address);
  if (namespace !== undefined && !NAMESPACE.test(namespace))
    throw new InvalidOptionError('namespace', namespace, '1 to 64 letters, digits, _ and -');
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: typeof DEFAULTS & ProducerOptions = { ...DEFAULTS, ...given, nameServers };
  for (const name of COUNTS)
    if (!(Number.isInteger(all[name]) && all[name] > 0))
      throw new InvalidOptionError(name, all[name], 'a whole number above 0');
  for (const name of SPANS) if (!(all[name] >= 0)) throw new InvalidOptionError(name, all[name], '0 or more');
  return all;
}
