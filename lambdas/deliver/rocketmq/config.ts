import * as z from 'zod';
import { deployTime } from '../../core/deploy-time.ts';
import { expression, literalOfExpression } from '../../core/jsonpath/expression.ts';
import { jsonObject } from '../../core/jsonpath/object.ts';
import { objectOf } from '../../core/object-schema.ts';
import { meets, type TextConstraint } from '../../core/text-constraint.ts';
import { parseAddress } from '../net/address.ts';
import { parseProxyAddress } from './proxy-address.ts';
import { DELAY_LEVEL, DELIVER_AT, GROUP_BY_PROXIES, MAX_DELAY_LEVEL, TAG, topicRule } from './rules.ts';
import { checkUserProperty } from './user-property.ts';

/** Environment variables of a worker: where its secrets are, never what is in them. */
export const CREDENTIALS_SECRET_ARN = 'CREDENTIALS_SECRET_ARN';
export const CA_SECRET_ARN = 'CA_SECRET_ARN';

/** Below the 4 MiB of a broker, for consumers that take no more with all that comes with a message. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024 - 64 * 1024;
/** Unless told otherwise: messages of a send by name servers, and sends under way at a time by proxies. */
export const BATCH_SIZE = 100;
export const IN_FLIGHT_BY_PROXIES = 64;

/** Whether it is `host:port`, IPv6 in brackets. */
export function isServerAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

/** Whether it is `host:port`; the client of proxies takes no IPv6 address. */
export function isProxyAddress(text: string): boolean {
  return parseProxyAddress(text) !== undefined;
}

const addresses = (isAddress: (text: string) => boolean, expected: string) =>
  z.string().check((context) => {
    for (const address of context.value.split(';'))
      if (!isAddress(address))
        context.issues.push({ code: 'custom', message: `${expected}, with ; between several`, input: address });
  });

/** A text that its rule judges here, unless messages decide what it comes to. */
const ruled = (rule: TextConstraint) => expression.min(1).check(meets(rule, literalOfExpression));

const propertyName = z.string().check((context) => {
  try {
    checkUserProperty(context.value);
  } catch (error) {
    context.issues.push({ code: 'custom', message: (error as Error).message, input: context.value });
  }
});

/** What there is instead where proxies are spoken to. */
const BY_NAME_SERVERS_ONLY = {
  batchSize: 'inflightWindow: a proxy takes one message a send',
  produce: 'inflightWindow: 1 sends one message after the other',
  delayLevel: 'deliverAt: proxies know times, no levels',
  refreshTopicRouteIntervalMs: 'nothing: a route is asked for again after five minutes, and after failures',
  autoCreateTopics: 'nothing: by proxies no topic comes about by itself',
} as const;

/** Options of the RocketMQ sink in a task's spec (rows A9–A17, B3–B7, D12–D16). Texts are templates, or JSONPaths over the event. */
export const rocketMqOptions = z
  .strictObject({
    type: z.literal('rocketmq'),
    /** Name servers, `host:port` each, with `;` between them; any one is enough. Either these or `endpoints`. */
    nameServers: z.union([addresses(isServerAddress, 'host:port, such as 10.0.0.5:9876'), deployTime]).optional(),
    /** Proxies of RocketMQ 5, `host:port` each, with `;` between them: gRPC. */
    endpoints: z
      .union([addresses(isProxyAddress, 'host:port, such as 10.0.0.5:8081, no IPv6 address'), deployTime])
      .optional(),
    /** Instance id: topics and groups are prefixed with it, `<namespace>%<topic>`; a proxy is told it beside them. */
    namespace: z
      .string()
      .regex(/^[a-zA-Z0-9_-]{1,64}$/, '1 to 64 letters, digits, _ and -')
      .optional(),
    /** For all servers alike. */
    tls: z.boolean().default(true),
    /** Certificate authorities in PEM, in place of those that Node trusts. */
    ca: z.string().min(1).optional(),
    topic: z.union([ruled(topicRule()), deployTime]),
    /** What the message holds; blank forwards the whole rule output as JSON, `${payload}` the original bytes, an object is JSON of its values. */
    payload: z.union([expression, jsonObject]).default(''),
    /** Keys, with spaces between several; a list makes one of each element. Blank: none. By default the message's id. */
    key: expression.default('$.id'),
    tag: ruled(TAG).optional(),
    /** One JSONPath that finds an object, or a text for each property. */
    properties: z.union([expression.min(1), objectOf(expression, propertyName)]).optional(),
    /** Messages of one group go to one queue, in their order. */
    messageGroup: expression.min(1).optional(),
    /** 1 to 18 once rendered; 0 and nothing at all deliver at once. By name servers only. */
    delayLevel: z.union([z.int().min(0).max(MAX_DELAY_LEVEL), ruled(DELAY_LEVEL)]).optional(),
    /** Milliseconds since 1970 once rendered; brokers of version 5 only. */
    deliverAt: ruled(DELIVER_AT).optional(),
    /** Messages of one send, by name servers. By default 100; proxies take one. */
    batchSize: z.int().min(1).max(10_000).optional(),
    /** By name servers: `sync`, the default, sends one batch after the other, `async` up to `inflightWindow` at a time. */
    produce: z.enum(['sync', 'async']).optional(),
    /** Sends under way at a time: by default 16 batches by name servers, 64 messages by proxies. */
    inflightWindow: z.int().min(1).max(1_000).optional(),
    /** Longest that one send may take with all its attempts. */
    syncTimeoutMs: z.int().min(100).max(30_000).default(3_000),
    /** By name servers: a route older than this, by default 5,000, is asked for anew before it is used. */
    refreshTopicRouteIntervalMs: z.int().min(0).optional(),
    maxMessageBytes: z.int().min(1).max(MAX_MESSAGE_BYTES).default(MAX_MESSAGE_BYTES),
    /** By name servers: lets brokers that do so create topics with their first message. By default they may. */
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
      for (const [option, instead] of Object.entries(BY_NAME_SERVERS_ONLY)) {
        const given = context.value[option as keyof typeof BY_NAME_SERVERS_ONLY];
        if (given !== undefined) refuse(option, given, `${instead}; it acts by nameServers only`);
      }
      const group = messageGroup === undefined ? undefined : literalOfExpression(messageGroup);
      if (group !== undefined && !GROUP_BY_PROXIES.isMet(group))
        refuse('messageGroup', group, GROUP_BY_PROXIES.expected);
      if (deliverAt !== undefined && messageGroup !== undefined)
        refuse('deliverAt', deliverAt, 'none beside messageGroup: by a proxy a message has an order or a time');
    }
    if (delayLevel !== undefined && deliverAt !== undefined) refuse('deliverAt', deliverAt, 'none beside delayLevel');
    const name = typeof topic === 'string' ? literalOfExpression(topic) : undefined;
    const inNamespace = topicRule(namespace);
    if (name !== undefined && !inNamespace.isMet(name))
      refuse('topic', topic, `${inNamespace.expected} in this namespace`);
  });

/** What of them a route may have of its own. */
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
