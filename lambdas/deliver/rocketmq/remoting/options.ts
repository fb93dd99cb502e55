import { InvalidOptionError } from '../../../core/errors.ts';
import { checkAddress } from '../../net/address.ts';
import { type Clock, systemClock } from '../../net/clock.ts';
import type { TlsOptions } from '../../net/tls.ts';
import type { CredentialsSource } from '../credentials.ts';

export interface ProducerOptions {
  /** 'host:port' each; any one is enough, and a dead one costs nothing once it is known to be dead (B3). */
  readonly nameServers: readonly string[];
  /** What access control of the brokers asks for. @default - nothing */
  readonly credentials?: CredentialsSource;
  /** For name servers and brokers alike. @default false */
  readonly tls?: TlsOptions | false;
  /** Instance id that topics and groups are prefixed with, `<namespace>%<topic>`. @default - no prefix */
  readonly namespace?: string;
  /** @default 'outflow' */
  readonly producerGroup?: string;
  /** Longest that one request may take with all its attempts (B6), in milliseconds. @default 3000 */
  readonly timeoutMs?: number;
  /** Handshake included. @default 1000 */
  readonly connectTimeoutMs?: number;
  /** A route older than this is asked for anew before it is used (B4). @default 5000 */
  readonly refreshTopicRouteIntervalMs?: number;
  /** A connection unused for longer is replaced: a frozen sandbox does not notice how servers close it. @default 60000 */
  readonly idleMs?: number;
  /** Servers that failed are tried last for so long. @default 30000 */
  readonly backoffMs?: number;
  /** Requests at once, over all topics; 1 sends one after the other (A10). @default 16 */
  readonly maxInFlight?: number;
  /** Messages of a batch; 1 sends each alone (B7). @default 100 */
  readonly maxBatchMessages?: number;
  /** Bytes of a batch; lowered to what a broker takes once it says so. @default 4128768, that is 64 KiB below 4 MiB */
  readonly maxBatchBytes?: number;
  /** Bytes of a message's body. @default 4128768 */
  readonly maxMessageBytes?: number;
  /** Lets brokers that do so create topics with their first message. @default true */
  readonly autoCreateTopics?: boolean;
  /** Queues of such a topic on each broker. @default 4 */
  readonly defaultTopicQueueNums?: number;
  /** @default - the machine's */
  readonly clock?: Clock;
}

/** Below the 4 MiB of a broker, for consumers that take no more with all that comes with a message. */
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
  autoCreateTopics: true,
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

/** The options with all defaults. @throws InvalidOptionError */
export function withDefaults(options: ProducerOptions) {
  const { nameServers, namespace } = options;
  if (nameServers.length === 0) throw new InvalidOptionError('nameServers', nameServers, 'one at least');
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
