import * as z from 'zod';
import { deployTime, type Resolved } from '../../core/deploy-time.ts';
import { parseServer } from './server.ts';

/** Environment variables of a function: the ARNs of its secrets, never their text. */
export const CREDENTIALS_SECRET_ARN = 'CREDENTIALS_SECRET_ARN';
export const CLIENT_CERTIFICATE_SECRET_ARN = 'CLIENT_CERTIFICATE_SECRET_ARN';
export const CA_SECRET_ARN = 'CA_SECRET_ARN';

const server = z.string().check((context) => {
  const found = parseServer(context.value);
  if (typeof found === 'string') context.issues.push({ code: 'custom', message: found, input: context.value });
});

/** Options of a connection to a broker, which sinks and sources share. */
export const mqttConnection = {
  /** `mqtt://host:port` or `mqtts://host:port`; the port is 1883 or 8883 by default. */
  server: z.union([server, deployTime]),
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1. */
  protocolVersion: z.union([z.literal(3), z.literal(4), z.literal(5)]).default(5),
  /** Client ids are `<prefix>:<name><8 hexadecimal digits>:<number>`. */
  clientIdPrefix: z.string().min(1).max(64).optional(),
  /** Name of the connector. */
  name: z.string().max(64).default('outflow'),
  /** Seconds between PINGREQ packets of an idle connection, times 4/3; 0 sends none. */
  keepaliveSeconds: z.int().min(0).max(65_535).default(60),
  connectTimeoutMs: z.int().min(100).max(30_000).default(10_000),
  /** Certificate authorities in PEM. By default those that Node trusts. */
  ca: z.string().min(1).optional(),
  /** The name that the server's certificate must carry, which is sent as SNI. By default the host. */
  serverName: z.string().min(1).optional(),
};

/** Client ids that are the same in every sandbox, for brokers that know their clients by them. */
export const staticClientIds = z.array(z.string().min(1).max(256)).min(1).max(100);

const schema = z.object(mqttConnection);
export type MqttConnectionOptions = Resolved<z.output<typeof schema>>;
