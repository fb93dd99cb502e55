import * as z from 'zod';
import { deployTime } from '../../core/deploy-time.ts';
import { expression, literalOfExpression } from '../../core/jsonpath/expression.ts';
import { jsonObject } from '../../core/jsonpath/object.ts';
import { objectOf } from '../../core/object-schema.ts';
import { meets, type TextConstraint } from '../../core/text-constraint.ts';
import { parseAddress } from '../../net/address.ts';
import {
  DELAY_LEVEL,
  DELIVER_AT,
  GROUP_BY_PROXIES,
  isTopicOrPrefix,
  MAX_DELAY_LEVEL,
  TAG,
  topicConstraint,
} from './constraints.ts';
import { parseProxyAddress } from './proxy-address.ts';
import { checkUserProperty } from './user-property.ts';

/** Environment variables of a worker: the ARNs of its secrets, never their text. */
export const CREDENTIALS_SECRET_ARN = 'CREDENTIALS_SECRET_ARN';
export const CA_SECRET_ARN = 'CA_SECRET_ARN';

/** Below a broker's 4 MiB: consumers have the same limit for a message with its properties. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024 - 64 * 1024;
/** The default of `batchSize`. */
export const BATCH_SIZE = 100;
/** The default of `inflightWindow` with proxies. */
export const IN_FLIGHT_BY_PROXIES = 64;

/** Whether the text is `host:port`, with IPv6 addresses in brackets. */
export function isServerAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

/** Whether the text is `host:port`; the client of proxies accepts no IPv6 address. */
export function isProxyAddress(text: string): boolean {
  return parseProxyAddress(text) !== undefined;
}

const addresses = (isAddress: (text: string) => boolean, expected: string) =>
  z.string().check((context) => {
    for (const address of context.value.split(';'))
      if (!isAddress(address))
        context.issues.push({ code: 'custom', message: `${expected}, with ; between several`, input: address });
  });

/** An expression whose text must meet the constraint. One that depends on the message is judged when it is rendered. */
const constrained = (constraint: TextConstraint) => expression.min(1).check(meets(constraint, literalOfExpression));

const propertyName = z.string().check((context) => {
  try {
    checkUserProperty(context.value);
  } catch (error) {
    context.issues.push({ code: 'custom', message: (error as Error).message, input: context.value });
  }
});

/** Options for name servers, and what to use instead with proxies. */
const NAME_SERVERS_ONLY = {
  batchSize: 'inflightWindow: a proxy accepts one message per send',
  produce: 'inflightWindow: 1 sends one message after the other',
  delayLevel: 'deliverAt: proxies have delivery times, not levels',
  refreshTopicRouteIntervalMs: 'no value: a route is queried again after five minutes, and after failures',
  autoCreateTopics: 'no value: a proxy does not create topics',
} as const;

/** Options of the RocketMQ sink in a task's spec. Texts are templates, or JSONPaths over the event. */
export const rocketMqOptions = z
  .strictObject({
    type: z.literal('rocketmq'),
    /** Name servers, `host:port` each, separated by `;`. One that answers is enough. Either these or `endpoints`. */
    nameServers: z.union([addresses(isServerAddress, 'host:port, such as 10.0.0.5:9876'), deployTime]).optional(),
    /** Proxies of RocketMQ 5, called by gRPC: `host:port` each, separated by `;`. */
    endpoints: z
      .union([addresses(isProxyAddress, 'host:port, such as 10.0.0.5:8081, no IPv6 address'), deployTime])
      .optional(),
    /** Instance id. Name servers and brokers see it as a prefix of topics and groups, `<namespace>%<topic>`; proxies as a field. */
    namespace: z
      .string()
      .regex(/^[a-zA-Z0-9_-]{1,64}$/, '1 to 64 letters, digits, _ and -')
      .optional(),
    /** For all servers. */
    tls: z.boolean().default(true),
    /** Certificate authorities in PEM. By default those that Node trusts. */
    ca: z.string().min(1).optional(),
    topic: z.union([constrained(topicConstraint()), deployTime]),
    /** Topics that a template or JSONPath may name: names, and prefixes that end with `*`. By default all but system topics. */
    topics: z
      .array(z.string().refine(isTopicOrPrefix, 'letters, digits, _ and -, with * at the end of a prefix'))
      .min(1)
      .max(1_000)
      .optional(),
    /** The message's body. Blank forwards the whole rule output as JSON, `${payload}` the original bytes; an object makes JSON of its values. */
    payload: z.union([expression, jsonObject]).default(''),
    /** Keys, separated by spaces; a list gives one key per element, blank none. By default the message's id. */
    key: expression.default('$.id'),
    tag: constrained(TAG).optional(),
    /** A JSONPath that finds an object, or a text for each property. */
    properties: z.union([expression.min(1), objectOf(expression, propertyName)]).optional(),
    /** Messages of one group go to one queue, in their order. */
    messageGroup: expression.min(1).optional(),
    /** 1 to 18 once rendered; 0 or an empty text delivers at once. With name servers only. */
    delayLevel: z.union([z.int().min(0).max(MAX_DELAY_LEVEL), constrained(DELAY_LEVEL)]).optional(),
    /** Milliseconds since 1970 once rendered. RocketMQ 5 only. */
    deliverAt: constrained(DELIVER_AT).optional(),
    /** Messages per send, with name servers. By default 100. */
    batchSize: z.int().min(1).max(10_000).optional(),
    /** With name servers: `sync`, the default, sends one batch after the other; `async` sends up to `inflightWindow` at a time. */
    produce: z.enum(['sync', 'async']).optional(),
    /** Sends at a time: by default 16 batches with name servers, 64 messages with proxies. */
    inflightWindow: z.int().min(1).max(1_000).optional(),
    /** Longest that one send may take with all its attempts. */
    syncTimeoutMs: z.int().min(100).max(30_000).default(3_000),
    /** With name servers: a route older than this is queried again before it is used. By default 5,000. */
    refreshTopicRouteIntervalMs: z.int().min(0).optional(),
    maxMessageBytes: z.int().min(1).max(MAX_MESSAGE_BYTES).default(MAX_MESSAGE_BYTES),
    /** With name servers: lets brokers create topics with their first message, if they are configured to. By default only topics that the task names. */
    autoCreateTopics: z.boolean().optional(),
  })
  .check((context) => {
    const { delayLevel, deliverAt, topic, namespace, nameServers, endpoints, messageGroup } = context.value;
    const refuse = (option: string, input: unknown, message: string) =>
      context.issues.push({ code: 'custom', path: [option], message, input });
    if (nameServers === undefined && endpoints === undefined)
      refuse('nameServers', nameServers, 'host:port of a name server, or endpoints: host:port of a proxy');
    if (nameServers !== undefined && endpoints !== undefined) refuse('endpoints', endpoints, 'none beside nameServers');
    if (endpoints !== undefined) {
      for (const [option, instead] of Object.entries(NAME_SERVERS_ONLY)) {
        const given = context.value[option as keyof typeof NAME_SERVERS_ONLY];
        if (given !== undefined) refuse(option, given, `${instead}; this option is for nameServers`);
      }
      const group = messageGroup === undefined ? undefined : literalOfExpression(messageGroup);
      if (group !== undefined && !GROUP_BY_PROXIES.isMet(group))
        refuse('messageGroup', group, GROUP_BY_PROXIES.expected);
      if (deliverAt !== undefined && messageGroup !== undefined)
        refuse(
          'deliverAt',
          deliverAt,
          'none beside messageGroup: with a proxy, a message has either an order or a time',
        );
    }
    if (delayLevel !== undefined && deliverAt !== undefined) refuse('deliverAt', deliverAt, 'none beside delayLevel');
    const name = typeof topic === 'string' ? literalOfExpression(topic) : undefined;
    const inNamespace = topicConstraint(namespace);
    if (name !== undefined && !inNamespace.isMet(name))
      refuse('topic', topic, `${inNamespace.expected} in this namespace`);
  });

/** Options that a route may override. */
export const ROCKETMQ_ROUTED = [
  'topic',
  'payload',
  'key',
  'tag',
  'properties',
  'messageGroup',
  'delayLevel',
  'deliverAt',
] as const satisfies (keyof RocketMqOptions)[];

export type RocketMqOptions = z.output<typeof rocketMqOptions>;
