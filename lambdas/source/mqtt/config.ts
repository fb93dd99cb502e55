import * as z from 'zod';
import { mqttTopicFilter, taskName } from '../../core/spec.ts';
import { mqttConnection } from '../../net/mqtt/options.ts';

/** Seconds for which a broker keeps a session without a connection, by default: a day. */
export const SESSION_EXPIRY_SECONDS = 86_400;

/** Options of an MQTT source's function, in its `spec.json`. */
export const mqttSourceOptions = z.strictObject({
  type: z.literal('mqtt-source'),
  task: taskName,
  ...mqttConnection,
  /** 8 hexadecimal digits of the client ids, the same for every sandbox: the broker finds its session by the client id. */
  clientIdDigits: z.string().regex(/^[0-9a-f]{8}$/),
  filters: z.array(mqttTopicFilter).min(1).max(1_000),
  qos: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(1),
  /** Name of a shared subscription: each message goes to one member of the group. */
  shareGroup: z
    .string()
    .regex(/^[^/+#]{1,64}$/, '1 to 64 characters without /, + and #')
    .optional(),
  /** Connections, each with a client id and a session of its own; more than one only with `shareGroup`. */
  sessions: z.int().min(1).max(16).default(1),
  /** Messages that the broker may send without an acknowledgement. */
  receiveMaximum: z.int().min(1).max(65_535).default(1_000),
  sessionExpirySeconds: z.int().min(60).max(0xffff_ffff).default(SESSION_EXPIRY_SECONDS),
});

export type MqttSourceOptions = z.output<typeof mqttSourceOptions>;

/** The filters that the source subscribes to. */
export function subscribedFilters({
  filters,
  shareGroup,
}: Pick<MqttSourceOptions, 'filters' | 'shareGroup'>): string[] {
  return filters.map((filter) => (shareGroup === undefined ? filter : `$share/${shareGroup}/${filter}`));
}

/** Bytes of the filters in a slot's state, which has to fit in the 4 KB of a parameter of AWS Systems Manager. */
export const MAX_FILTERS_BYTES = 3_500;
/** Bytes of a source's filters: those before and after a change have to fit together. */
export const MAX_SOURCE_FILTERS_BYTES = MAX_FILTERS_BYTES / 2;

export function filtersBytes(filters: readonly string[]): number {
  return Buffer.byteLength(JSON.stringify(filters));
}
