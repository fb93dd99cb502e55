import type { Environment } from '../../core/environment.ts';
import { StopTask, show } from '../../core/errors.ts';
import type { Clock } from '../clock.ts';
import { credentialsCache } from '../credentials.ts';
import type { Deadline } from '../deadline.ts';
import type { ReadSecret } from '../secrets.ts';
import { isTlsFailure } from '../tls.ts';
import { type ConnectOptions, connectMqtt } from './connect.ts';
import type { MqttConnection } from './connection.ts';
import { ConnectionRefusedError } from './errors.ts';
import { type Identity, readIdentity } from './identity.ts';
import { CLIENT_CERTIFICATE_SECRET_ARN, CREDENTIALS_SECRET_ARN, type MqttConnectionOptions } from './options.ts';
import { reasonCodes, returnCodes } from './reason-codes.ts';
import { parseServer, type Server } from './server.ts';

export interface ClientOptions {
  readonly options: MqttConnectionOptions;
  /** Certificate authorities in PEM. @default - those that Node trusts */
  readonly ca: string | undefined;
  /** The function's environment, with the ARNs of its secrets. */
  readonly env: Environment;
  readonly readSecret: ReadSecret;
  /** The one client id of a client with a static one, which may have credentials to itself. */
  readonly staticClientId?: string;
  readonly clock: Clock;
}

/** What one connection has and the others of a client do not. */
export type OneConnection = Pick<
  ConnectOptions,
  'clientId' | 'clean' | 'sessionExpirySeconds' | 'receiveMaximum' | 'maxPacketBytes' | 'onMessage'
>;

/** Opens connections to one broker. */
export interface Client {
  readonly server: Server;
  /** @throws as `connectMqtt`, and what reading a secret throws. */
  connect(connection: OneConnection, deadline: Deadline): Promise<MqttConnection>;
}

/** @throws StopTask for a server that was unknown until deployment, and is none. */
export function openClient({ options, ca, env, readSecret, staticClientId, clock }: ClientOptions): Client {
  const { protocolVersion, keepaliveSeconds, connectTimeoutMs } = options;
  const server = parseServer(options.server);
  if (typeof server === 'string') throw new StopTask(`server: got ${show(options.server)}; expected ${server}`);
  const { address, isTls } = server;
  const secrets = { credentials: env[CREDENTIALS_SECRET_ARN], clientCertificate: env[CLIENT_CERTIFICATE_SECRET_ARN] };
  const identities = credentialsCache<Identity>(() => readIdentity(secrets, readSecret, staticClientId), clock);

  async function connectAs(identity: Identity, connection: OneConnection, deadline: Deadline): Promise<MqttConnection> {
    const { username, password, ...certificate } = identity;
    return connectMqtt({
      ...connection,
      address,
      tls: isTls && {
        ...(ca !== undefined && { ca }),
        ...(options.serverName !== undefined && { servername: options.serverName }),
        ...certificate,
      },
      protocolVersion,
      keepaliveSeconds,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      timeoutMs: Math.min(connectTimeoutMs, deadline.leftMs()),
    });
  }

  return {
    server,
    async connect(connection, deadline) {
      const identity = await identities.current();
      try {
        return await connectAs(identity, connection, deadline);
      } catch (error) {
        const isRefused = (other: Identity) => JSON.stringify(other) === JSON.stringify(identity);
        if (!isIdentityRefusal(error) || !(await identities.renew(isRefused))) throw error;
      }
      return connectAs(await identities.current(), connection, deadline);
    },
  };
}

/** Client ids of the form `[<prefix>:]<name><unique>:<number>`. @param unique 8 hexadecimal digits. */
export function clientIds(
  { clientIdPrefix, name }: Pick<MqttConnectionOptions, 'clientIdPrefix' | 'name'>,
  unique: string,
): (number: number) => string {
  const prefix = clientIdPrefix === undefined ? '' : `${clientIdPrefix}:`;
  return (number) => `${prefix}${name}${unique}:${number}`;
}

/** Whether the broker refused who the client is: its password, or its certificate in the TLS handshake. */
function isIdentityRefusal(error: unknown): boolean {
  if (!(error instanceof ConnectionRefusedError)) return isTlsFailure(error);
  const { badUserNameOrPassword, notAuthorized } = error.protocolVersion === 5 ? reasonCodes : returnCodes;
  return error.code === badUserNameOrPassword || error.code === notAuthorized;
}
