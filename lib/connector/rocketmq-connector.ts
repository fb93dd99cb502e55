import { Token } from 'aws-cdk-lib';
import {
  Connections,
  type IConnectable,
  type ISecurityGroup,
  type IVpc,
  SecurityGroup,
  type SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
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
import { type OptionAdvice, refuseUnknown } from '../advice.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { WorkerNetwork } from './network.ts';

export interface RocketMqConnectorProps {
  /**
   * `host:port` of each name server, for RocketMQ 4 and 5; any one is enough (rows A15, B3). The brokers' own addresses, as the
   * name servers tell them, must be within reach, too. Either these or `endpoints`.
   *
   * @default - endpoints
   */
  readonly nameServers?: readonly string[];
  /**
   * `host:port` of each proxy of RocketMQ 5, a name or an IPv4 address: gRPC, where name servers and brokers are out of reach.
   * Each message is sent by itself, so `nameServers` carry many times as many. Any one is enough, but for the addresses that
   * the proxies themselves tell, which must be within reach, too.
   *
   * @default - nameServers
   */
  readonly endpoints?: readonly string[];
  /**
   * What access control of the brokers asks for, as JSON `{ "accessKey", "secretKey" }`, with `securityToken` where there is one.
   * Workers read it when they start, when a broker refuses it, and every few minutes.
   *
   * @default - no credentials
   */
  readonly credentials?: ISecret;
  /**
   * Instance id (row D12). By name servers, topics and groups are prefixed with it, `<namespace>%<topic>`. A proxy is told
   * it beside them; that of Apache RocketMQ disregards it.
   *
   * @default - none
   */
  readonly namespace?: string;
  /**
   * Whether servers are spoken to by TLS; certificates are verified. `false` sends everything in plain text.
   *
   * @default true
   */
  readonly tls?: boolean;
  /**
   * Certificates of a private authority: PEM, or a secret that holds it.
   *
   * @default - the authorities that Node.js trusts
   */
  readonly certificateAuthority?: string | ISecret;
  /**
   * Where the workers have their network interfaces.
   *
   * @default - none: the servers are reached by the internet
   */
  readonly vpc?: IVpc;
  /**
   * Which of its subnets; they need a NAT, or endpoints for SQS and Secrets Manager.
   *
   * @default - private subnets
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * @default - one for all workers of the connector; see `connections`
   */
  readonly securityGroups?: readonly ISecurityGroup[];
}

const OPTIONS = Object.keys({
  nameServers: true,
  endpoints: true,
  credentials: true,
  namespace: true,
  tls: true,
  certificateAuthority: true,
  vpc: true,
  vpcSubnets: true,
  securityGroups: true,
} satisfies Record<keyof RocketMqConnectorProps, true>);

/** Names in the connectors of EMQX's RocketMQ data bridge and of its 3.x plugin. */
export const CONNECTOR_ADVICE: OptionAdvice = [
  [/servers?$|namesrv/, "nameServers, or endpoints for RocketMQ 5's proxies"],
  [/accesskey|secretkey|securitytoken|password|username|^acl/, 'credentials, a secret of AWS Secrets Manager'],
  [/ssl|cacert/, 'tls, and certificateAuthority for a private certificate authority'],
];

/**
 * A RocketMQ that any number of tasks deliver to (rows A15–A19, D12).
 *
 * @throws InvalidOptionError at synth for anything that could not work once deployed.
 */
export class RocketMqConnector extends Construct implements IConnectable {
  /** Lets the workers through to servers: `connector.connections.allowTo(brokers, Port.tcp(10911))`. Empty without a VPC. */
  readonly connections: Connections;
  /** Its part of a sink's spec. */
  readonly spec: object;
  /** What dead letters name, `rocketmq://<first server>[/<namespace>]`. */
  readonly address: string;
  /** What a worker's environment holds for it: where secrets are, never what is in them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly network: WorkerNetwork | undefined;
  readonly #secrets: readonly ISecret[];

  constructor(scope: Construct, id: string, props: RocketMqConnectorProps) {
    super(scope, id);
    refuseUnknown(id, props, OPTIONS, [...CONNECTOR_ADVICE, ...TASK_ADVICE]);
    const { credentials, namespace, tls = true, certificateAuthority: authority } = props;
    const { option, servers } = checkServers(id, props);
    if (!tls && authority !== undefined)
      throw new InvalidOptionError(`${id}.certificateAuthority`, described('an authority'), 'none with tls: false');
    if (
      typeof authority === 'string' &&
      !Token.isUnresolved(authority) &&
      !authority.includes('-----BEGIN CERTIFICATE')
    )
      throw new InvalidOptionError(`${id}.certificateAuthority`, authority, 'PEM: -----BEGIN CERTIFICATE-----…');

    const authoritySecret = typeof authority === 'object' ? authority : undefined;
    this.spec = {
      [option]: servers.join(';'),
      tls,
      ...(namespace !== undefined && { namespace }),
      ...(typeof authority === 'string' && { ca: authority }),
    };
    this.address = `rocketmq://${servers[0]}${namespace === undefined ? '' : `/${namespace}`}`;
    this.environment = {
      ...(credentials && { [CREDENTIALS_SECRET_ARN]: credentials.secretArn }),
      ...(authoritySecret && { [CA_SECRET_ARN]: authoritySecret.secretArn }),
    };
    this.#secrets = [credentials, authoritySecret].filter((secret) => secret !== undefined);
    this.network = this.#network(id, props);
    this.connections = new Connections({ securityGroups: [...(this.network?.securityGroups ?? [])] });
  }

  /** Allows a worker to read the secrets. */
  grantConnect(worker: IGrantable): void {
    for (const secret of this.#secrets) secret.grantRead(worker);
  }

  #network(id: string, { vpc, vpcSubnets, securityGroups }: RocketMqConnectorProps): WorkerNetwork | undefined {
    if (vpc === undefined) {
      for (const [name, given] of Object.entries({ vpcSubnets, securityGroups }))
        if (given !== undefined) throw new InvalidOptionError(`${id}.${name}`, described('a value'), 'vpc beside it');
      return undefined;
    }
    const description = `Workers of the Outflow connector ${this.node.id}`;
    return {
      vpc,
      vpcSubnets,
      securityGroups: securityGroups ?? [new SecurityGroup(this, 'Workers', { vpc, description })],
      services: this.#secrets.length === 0 ? [] : ['secretsmanager'],
    };
  }
}

function checkServers(id: string, { nameServers, endpoints }: RocketMqConnectorProps) {
  if (nameServers !== undefined && endpoints !== undefined)
    throw new InvalidOptionError(`${id}.endpoints`, endpoints, 'none beside nameServers: one of the two');
  const { option, servers, isAddress, wanted } =
    endpoints === undefined
      ? { option: 'nameServers', servers: nameServers, isAddress: isServerAddress, wanted: 'such as 10.0.0.5:9876' }
      : {
          option: 'endpoints',
          servers: endpoints,
          isAddress: isProxyAddress,
          wanted: 'such as 10.0.0.5:8081, no IPv6 address',
        };
  if (servers === undefined || servers.length === 0)
    throw new InvalidOptionError(`${id}.${option}`, servers, `one at least, ${wanted}`);
  for (const server of servers) {
    if (!Token.isUnresolved(server) && !isAddress(server))
      throw new InvalidOptionError(`${id}.${option}`, server, `host:port, ${wanted}`);
  }
  return { option, servers };
}
