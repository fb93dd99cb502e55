import { Annotations, Token } from 'aws-cdk-lib';
import { Connections, type IConnectable } from 'aws-cdk-lib/aws-ec2';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import {
  CA_SECRET_ARN,
  CREDENTIALS_SECRET_ARN,
  isProxyAddress,
  isServerAddress,
} from '../../lambdas/deliver/rocketmq/config.ts';
import type { OptionAdvice } from '../advice.ts';
import { BOOLEAN, checkProps, either, listOf, type OptionTypes, SECRET, STRING } from '../props.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import { authorityOf } from './authority.ts';
import { connectorNetwork, NETWORK_OPTIONS, type NetworkProps, type WorkerNetwork } from './network.ts';

export interface RocketMqConnectorProps extends NetworkProps {
  /**
   * `host:port` of each name server, for RocketMQ 4 and 5. One that answers is enough. The workers also need to reach the brokers at
   * the addresses that the name servers return. Give either `nameServers` or `endpoints`.
   *
   * @default - required unless `endpoints` is given
   */
  readonly nameServers?: readonly string[];
  /**
   * `host:port` of each proxy of RocketMQ 5, with a host name or an IPv4 address, for networks from which name servers and brokers
   * cannot be reached. One that answers is enough. The workers also need to reach the proxies at the addresses that the proxies
   * return. A proxy takes one message per request, so that the throughput is many times lower than by name servers.
   *
   * @default - required unless `nameServers` is given
   */
  readonly endpoints?: readonly string[];
  /**
   * Credentials for the brokers' access control, as JSON `{ "accessKey", "secretKey" }`, with `securityToken` for temporary ones.
   * Workers read the secret when they start, when a broker refuses the credentials, and every few minutes.
   *
   * @default - no credentials
   */
  readonly credentials?: ISecret;
  /**
   * Namespace, which is the instance id of ApsaraMQ: 1 to 64 letters, digits, `_` and `-`. By name servers, it prefixes topics and
   * groups: `<namespace>%<topic>`. By proxies, requests carry it separately; the proxy of Apache RocketMQ ignores it.
   *
   * @default - none
   */
  readonly namespace?: string;
  /**
   * Whether connections use TLS with verified certificates. `false` sends messages and credentials' signatures in plain text.
   *
   * @default true
   */
  readonly tls?: boolean;
  /**
   * Certificates of a private certificate authority, in PEM or as a secret that holds PEM.
   *
   * @default - the certificate authorities that Node.js trusts
   */
  readonly certificateAuthority?: string | ISecret;
}

const OPTIONS: OptionTypes<RocketMqConnectorProps> = {
  nameServers: listOf(STRING),
  endpoints: listOf(STRING),
  credentials: SECRET,
  namespace: STRING,
  tls: BOOLEAN,
  certificateAuthority: either(STRING, SECRET),
  ...NETWORK_OPTIONS,
};

/** Names in the connectors of EMQX's RocketMQ data bridge and of its 3.x plugin. */
export const CONNECTOR_ADVICE: OptionAdvice = [
  [/servers?$|namesrv/, "nameServers, or endpoints for RocketMQ 5's proxies"],
  [/accesskey|secretkey|securitytoken|password|username|^acl/, 'credentials, a secret of AWS Secrets Manager'],
  [/ssl|cacert/, 'tls, and certificateAuthority for a private certificate authority'],
];

/**
 * A RocketMQ cluster that any number of tasks deliver to.
 *
 * @throws InvalidOptionError at synth for options that could not work once deployed.
 */
export class RocketMqConnector extends Construct implements IConnectable {
  /** Allows the workers to reach servers: `connector.connections.allowTo(brokers, Port.tcp(10911))`. Empty without a VPC. */
  readonly connections: Connections;
  /** The connector's part of the sink's spec. */
  readonly spec: object;
  readonly namespace: string | undefined;
  /** Address in dead letters: `rocketmq://<first server>[/<namespace>]`. */
  readonly address: string;
  /** Environment variables of a worker: the ARNs of the secrets, never their values. */
  readonly environment: Readonly<Record<string, string>>;
  readonly network: WorkerNetwork | undefined;
  readonly #secrets: readonly ISecret[];

  constructor(scope: Construct, id: string, props: RocketMqConnectorProps) {
    super(scope, id);
    checkProps(id, props, OPTIONS, [...CONNECTOR_ADVICE, ...TASK_ADVICE]);
    const { credentials, namespace, tls = true, certificateAuthority: authority } = props;
    const { option, servers } = checkServers(id, props);
    if (!tls && credentials !== undefined)
      Annotations.of(this).addWarningV2(
        'mqtt-outflow:plainCredentials',
        `${id}.tls: with false, the messages and the signatures made with the credentials cross the network in plain text; use TLS, or a network that nobody else reads`,
      );
    if (!tls && authority !== undefined)
      throw new InvalidOptionError(`${id}.certificateAuthority`, described('certificates'), 'none with tls: false');
    const { pem, secret: authoritySecret } = authorityOf(`${id}.certificateAuthority`, authority);

    this.namespace = namespace;
    this.spec = {
      [option]: servers.join(';'),
      tls,
      ...(namespace !== undefined && { namespace }),
      ...(pem !== undefined && { ca: pem }),
    };
    this.address = `rocketmq://${servers[0]}${namespace === undefined ? '' : `/${namespace}`}`;
    this.environment = {
      ...(credentials && { [CREDENTIALS_SECRET_ARN]: credentials.secretArn }),
      ...(authoritySecret && { [CA_SECRET_ARN]: authoritySecret.secretArn }),
    };
    this.#secrets = [credentials, authoritySecret].filter((secret) => secret !== undefined);
    this.network = connectorNetwork(this, id, props, this.#secrets.length > 0);
    this.connections = new Connections({ securityGroups: [...(this.network?.securityGroups ?? [])] });
  }

  /** Allows a worker to read the secrets. */
  grantConnect(worker: IGrantable): void {
    for (const secret of this.#secrets) secret.grantRead(worker);
  }
}

function checkServers(id: string, { nameServers, endpoints }: RocketMqConnectorProps) {
  if (nameServers !== undefined && endpoints !== undefined)
    throw new InvalidOptionError(`${id}.endpoints`, endpoints, 'none with nameServers: give one of the two');
  const { option, servers, isAddress, example } =
    endpoints === undefined
      ? { option: 'nameServers', servers: nameServers, isAddress: isServerAddress, example: 'such as 10.0.0.5:9876' }
      : {
          option: 'endpoints',
          servers: endpoints,
          isAddress: isProxyAddress,
          example: 'such as 10.0.0.5:8081, without IPv6 addresses',
        };
  if (servers === undefined || servers.length === 0)
    throw new InvalidOptionError(`${id}.${option}`, servers, `at least one host:port, ${example}`);
  for (const server of servers) {
    if (!Token.isUnresolved(server) && !isAddress(server))
      throw new InvalidOptionError(`${id}.${option}`, server, `host:port, ${example}`);
  }
  return { option, servers };
}
