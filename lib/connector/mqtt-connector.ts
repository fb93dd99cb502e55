import { Annotations, type Duration, Token } from 'aws-cdk-lib';
import { Connections, type IConnectable } from 'aws-cdk-lib/aws-ec2';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { POOL_SIZE } from '../../lambdas/deliver/mqtt/config.ts';
import {
  CA_SECRET_ARN,
  CLIENT_CERTIFICATE_SECRET_ARN,
  CREDENTIALS_SECRET_ARN,
} from '../../lambdas/net/mqtt/options.ts';
import { parseServer } from '../../lambdas/net/mqtt/server.ts';
import type { OptionAdvice } from '../advice.ts';
import { checkProps, DURATION, either, listOf, NUMBER, type OptionTypes, required, SECRET, STRING } from '../props.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import { authorityOf } from './authority.ts';
import { connectorNetwork, NETWORK_OPTIONS, type NetworkProps, type WorkerNetwork } from './network.ts';

export interface MqttConnectorProps extends NetworkProps {
  /**
   * The broker: `mqtts://host:port` with TLS, `mqtt://host:port` or `host:port` without. The port is 8883 or 1883 by default. MQTT over
   * WebSocket and over QUIC are not supported.
   */
  readonly server: string;
  /**
   * Version of the protocol: 3 is MQTT 3.1, 4 is MQTT 3.1.1. Only MQTT 5 reports whether a broker has refused a message, and has
   * message properties.
   *
   * @default 5
   */
  readonly protocolVersion?: 3 | 4 | 5;
  /**
   * User name and password, as JSON `{ "username", "password" }`; the password may be absent. Workers read the secret when they start,
   * when the broker refuses the credentials, and every few minutes.
   *
   * @default - no credentials
   */
  readonly credentials?: ISecret;
  /**
   * Certificates of a private certificate authority, in PEM or as a secret that holds PEM.
   *
   * @default - the certificate authorities that Node.js trusts
   */
  readonly certificateAuthority?: string | ISecret;
  /**
   * The client's certificate, for brokers that require one, as JSON `{ "certificate", "privateKey", "passphrase" }` with PEM; the
   * passphrase may be absent.
   *
   * @default - none
   */
  readonly clientCertificate?: ISecret;
  /**
   * The name that the server's certificate must carry, which is sent as Server Name Indication.
   *
   * @default - the host of the server
   */
  readonly serverName?: string;
  /**
   * Name of the connector in its client ids: letters, digits, `_` and `-`.
   *
   * @default - the id of the construct
   */
  readonly connectorName?: string;
  /**
   * Prefix of the client ids, which are `[<prefix>:]<name><8 hexadecimal digits>:<number>`, such as `myprefix:foo2bd61c44:1`. The digits
   * are drawn by each sandbox of a worker, so that no two connections have the same client id.
   *
   * @default - none
   */
  readonly clientIdPrefix?: string;
  /**
   * Connections of each sandbox of a worker, 1 to 100. A sandbox halves its pool when the broker refuses some of its connections.
   *
   * @default 1
   */
  readonly poolSize?: number;
  /**
   * Client ids that stay the same, for brokers that know their clients by them, such as Azure IoT Hub. Sinks only, and one task per
   * connector, whose StreamBuffer has as many shards as there are ids: each shard has one, so that two connections never have the same.
   * They replace the pool. The secret of `credentials` may have a user name and a password for each, as `{ "clients": { "<client id>": {
   * "username", "password" } } }`.
   *
   * @default - client ids that each sandbox draws
   */
  readonly staticClientIds?: readonly string[];
  /**
   * Keep-alive interval, up to 65,535 seconds; zero turns it off.
   *
   * @default Duration.seconds(60)
   */
  readonly keepalive?: Duration;
  /**
   * Maximum duration of a connection attempt, 100 ms to 30 s.
   *
   * @default Duration.seconds(10)
   */
  readonly connectTimeout?: Duration;
}

const OPTIONS: OptionTypes<MqttConnectorProps> = {
  server: required(STRING),
  protocolVersion: NUMBER,
  credentials: SECRET,
  certificateAuthority: either(STRING, SECRET),
  clientCertificate: SECRET,
  serverName: STRING,
  connectorName: STRING,
  clientIdPrefix: STRING,
  poolSize: NUMBER,
  staticClientIds: listOf(STRING),
  keepalive: DURATION,
  connectTimeout: DURATION,
  ...NETWORK_OPTIONS,
};

/** Names in EMQX's MQTT connector. */
export const MQTT_CONNECTOR_ADVICE: OptionAdvice = [
  [/^(address|broker|host|url)$/, 'server, such as mqtts://broker.example.com:8883'],
  [/^(username|password)$/, 'credentials, a secret of AWS Secrets Manager'],
  [/^(protover|mqttversion|version)$/, 'protocolVersion: 3, 4 or 5'],
  [/^clientid$/, 'clientIdPrefix: a client id that is the same in two sandboxes would end the connection of the other'],
  [/ssl|cacert/, 'server with mqtts://, and certificateAuthority for a private certificate authority'],
  [/certfile|keyfile|^cert$|^key$/, 'clientCertificate, a secret of AWS Secrets Manager'],
  [/^sni|servernameindication/, 'serverName'],
  [/^poolsize$/, 'poolSize of the connector'],
  [/cleanstart|cleansession/, 'no value: a sink keeps no session, and a source always keeps one'],
  [/^(retryinterval|reconnect)/, "the task's retryPolicy: a message that is not acknowledged is retried by it"],
  [/^bridgemode$/, 'no value: MQTT 5 subscriptions of Outflow keep the retain flag as it was published'],
];

/** Characters that every broker accepts in a client id (MQTT 3.1.1, section 3.1.3.1), and the separators of EMQX. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** The longest client id of MQTT 3.1, section "CONNECT". */
const MAX_CLIENT_ID_OF_MQTT_3_1 = 23;

/**
 * An MQTT broker that any number of tasks deliver to and receive from.
 *
 * @throws InvalidOptionError at synth for options that could not work once deployed.
 */
export class MqttConnector extends Construct implements IConnectable {
  /** Allows the workers to reach the broker: `connector.connections.allowTo(broker, Port.tcp(8883))`. Empty without a VPC. */
  readonly connections: Connections;
  /** The connector's part of the spec. */
  readonly spec: object;
  readonly poolSize: number;
  readonly protocolVersion: 3 | 4 | 5;
  readonly staticClientIds: readonly string[] | undefined;
  /** Address in dead letters: `mqtts://<host>:<port>`. */
  readonly address: string;
  /** Environment variables of a worker: the ARNs of the secrets, never their values. */
  readonly environment: Readonly<Record<string, string>>;
  readonly network: WorkerNetwork | undefined;
  readonly #secrets: readonly ISecret[];

  constructor(scope: Construct, id: string, props: MqttConnectorProps) {
    super(scope, id);
    checkProps(id, props, OPTIONS, [...MQTT_CONNECTOR_ADVICE, ...TASK_ADVICE]);
    const { server, protocolVersion, credentials, clientCertificate, serverName, clientIdPrefix, poolSize } = props;
    const found = Token.isUnresolved(server) ? undefined : parseServer(server);
    if (typeof found === 'string')
      // The address may hold a password.
      throw new InvalidOptionError(`${id}.server`, server.includes('@') ? described('an address') : server, found);
    const name = nameOf(id, props);
    const authority = authorityOf(`${id}.certificateAuthority`, props.certificateAuthority);
    if (found?.isTls === false) this.#checkPlain(id, props);
    this.#checkClientId(id, props, name);

    this.spec = {
      server,
      name,
      ...(protocolVersion !== undefined && { protocolVersion }),
      ...(clientIdPrefix !== undefined && { clientIdPrefix }),
      ...(serverName !== undefined && { serverName }),
      ...(authority.pem !== undefined && { ca: authority.pem }),
      ...(props.keepalive && { keepaliveSeconds: props.keepalive.toSeconds() }),
      ...(props.connectTimeout && { connectTimeoutMs: props.connectTimeout.toMilliseconds() }),
    };
    this.poolSize = poolSize ?? POOL_SIZE;
    this.protocolVersion = protocolVersion ?? 5;
    this.staticClientIds = this.#checkStaticClientIds(id, props);
    this.address = found === undefined ? server : `${found.isTls ? 'mqtts' : 'mqtt'}://${found.address}`;
    this.environment = {
      ...(credentials && { [CREDENTIALS_SECRET_ARN]: credentials.secretArn }),
      ...(clientCertificate && { [CLIENT_CERTIFICATE_SECRET_ARN]: clientCertificate.secretArn }),
      ...(authority.secret && { [CA_SECRET_ARN]: authority.secret.secretArn }),
    };
    this.#secrets = [credentials, clientCertificate, authority.secret].filter((secret) => secret !== undefined);
    this.network = connectorNetwork(this, id, props, this.#secrets.length > 0);
    this.connections = new Connections({ securityGroups: [...(this.network?.securityGroups ?? [])] });
  }

  /** Allows a worker to read the secrets. */
  grantConnect(worker: IGrantable): void {
    for (const secret of this.#secrets) secret.grantRead(worker);
  }

  #checkPlain(id: string, { credentials, certificateAuthority, clientCertificate, serverName }: MqttConnectorProps) {
    for (const [option, given] of Object.entries({ certificateAuthority, clientCertificate, serverName }))
      if (given !== undefined)
        throw new InvalidOptionError(`${id}.${option}`, described('a value'), 'none without TLS; use mqtts://');
    if (credentials !== undefined)
      Annotations.of(this).addWarningV2(
        'mqtt-outflow:plainCredentials',
        `${id}.server: with mqtt://, the messages and the password cross the network in plain text; use mqtts://, or a network that nobody else reads`,
      );
  }

  #checkStaticClientIds(id: string, { staticClientIds: ids, poolSize, clientIdPrefix }: MqttConnectorProps) {
    if (ids === undefined) return undefined;
    const twice = ids.find((clientId, index) => ids.indexOf(clientId) !== index);
    if (twice !== undefined || ids.length === 0)
      throw new InvalidOptionError(`${id}.staticClientIds`, twice ?? ids, 'at least one client id, each of them once');
    for (const [option, given] of Object.entries({ poolSize, clientIdPrefix }))
      if (given !== undefined)
        Annotations.of(this).addWarningV2(
          'mqtt-outflow:staticClientIds',
          `${id}.${option}: it has no effect with staticClientIds, which replace the pool`,
        );
    return ids;
  }

  #checkClientId(
    id: string,
    { protocolVersion, clientIdPrefix, poolSize = POOL_SIZE }: MqttConnectorProps,
    name: string,
  ) {
    const prefix = clientIdPrefix === undefined ? '' : `${clientIdPrefix}:`;
    const { length } = `${prefix}${name}01234567:${poolSize}`;
    if (protocolVersion === 3 && length > MAX_CLIENT_ID_OF_MQTT_3_1)
      Annotations.of(this).addWarningV2(
        'mqtt-outflow:clientIdLength',
        `${id}.connectorName: with protocolVersion 3, the client ids have ${length} characters, and a broker may refuse more than ${MAX_CLIENT_ID_OF_MQTT_3_1}`,
      );
  }
}

function nameOf(id: string, { connectorName }: MqttConnectorProps): string {
  if (connectorName === undefined) return id.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 64);
  if (!Token.isUnresolved(connectorName) && NAME.test(connectorName)) return connectorName;
  throw new InvalidOptionError(`${id}.connectorName`, connectorName, '1 to 64 letters, digits, _ and -');
}
