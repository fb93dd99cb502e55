import { randomBytes } from 'node:crypto';
import type { Resolved } from '../../core/deploy-time.ts';
import { StopTask, show } from '../../core/errors.ts';
import type { Clock } from '../../net/clock.ts';
import { credentialsCache } from '../../net/credentials.ts';
import type { Deadline } from '../../net/deadline.ts';
import { connectMqtt } from '../../net/mqtt/connect.ts';
import type { MqttConnection } from '../../net/mqtt/connection.ts';
import { ConnectionRefusedError } from '../../net/mqtt/errors.ts';
import { reasonCodes, returnCodes } from '../../net/mqtt/reason-codes.ts';
import type { ReadSecret } from '../../net/secrets.ts';
import { isTlsFailure } from '../../net/tls.ts';
import type { MqttOptions } from './config.ts';
import { type Identity, type IdentitySecrets, readIdentity } from './identity.ts';
import { parseServer, type Server } from './server.ts';

export interface ClientOptions {
  readonly options: Resolved<MqttOptions>;
  readonly ca: string | undefined;
  readonly secrets: IdentitySecrets;
  readonly readSecret: ReadSecret;
  readonly clock: Clock;
}

/** Opens connections to one broker, with client ids that no other sandbox has. */
export interface Client {
  readonly server: Server;
  /** @param number Place of the connection in the pool, from 1. @throws as `connectMqtt`, and what reading a secret throws. */
  connect(number: number, deadline: Deadline): Promise<MqttConnection>;
}

/** @throws StopTask for a server that was unknown until deployment, and is none. */
export function openClient({ options, ca, secrets, readSecret, clock }: ClientOptions): Client {
  const { protocolVersion, keepaliveSeconds, connectTimeoutMs } = options;
  const server = parseServer(options.server);
  if (typeof server === 'string') throw new StopTask(`server: got ${show(options.server)}; expected ${server}`);
  const { address, isTls } = server;
  const clientIds = `${clientIdBase(options)}${randomBytes(4).toString('hex')}`;
  const identities = credentialsCache<Identity>(() => readIdentity(secrets, readSecret), clock);

  async function connectAs(identity: Identity, number: number, deadline: Deadline): Promise<MqttConnection> {
    const { username, password, ...certificate } = identity;
    return connectMqtt({
      address,
      tls: isTls && {
        ...(ca !== undefined && { ca }),
        ...(options.serverName !== undefined && { servername: options.serverName }),
        ...certificate,
      },
      protocolVersion,
      clientId: `${clientIds}:${number}`,
      clean: true,
      keepaliveSeconds,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      timeoutMs: Math.min(connectTimeoutMs, deadline.leftMs()),
    });
  }

  return {
    server,
    async connect(number, deadline) {
      const identity = await identities.current();
      try {
        return await connectAs(identity, number, deadline);
      } catch (error) {
        const isRefused = (other: Identity) => JSON.stringify(other) === JSON.stringify(identity);
        if (!isIdentityRefusal(error) || !(await identities.renew(isRefused))) throw error;
      }
      return connectAs(await identities.current(), number, deadline);
    },
  };
}

/** `[<prefix>:]<name>`, the beginning of each client id. */
function clientIdBase({ clientIdPrefix, name }: Pick<MqttOptions, 'clientIdPrefix' | 'name'>): string {
  return clientIdPrefix === undefined ? name : `${clientIdPrefix}:${name}`;
}

/** Whether the broker refused who the client is: its password, or its certificate in the TLS handshake. */
function isIdentityRefusal(error: unknown): boolean {
  if (!(error instanceof ConnectionRefusedError)) return isTlsFailure(error);
  const { badUserNameOrPassword, notAuthorized } = error.protocolVersion === 5 ? reasonCodes : returnCodes;
  return error.code === badUserNameOrPassword || error.code === notAuthorized;
}
