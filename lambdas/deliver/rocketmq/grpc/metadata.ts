import { createHmac, randomUUID } from 'node:crypto';
import { Metadata } from '@grpc/grpc-js';
import type { Credentials } from '../credentials.ts';

export interface Identity {
  /** Unique among all clients of the proxies. */
  readonly clientId: string;
  /** '' when there is none. */
  readonly namespace: string;
  readonly credentials: Credentials | undefined;
}

/** The version that proxies show of a client: that of the package whose stubs it uses. */
export const CLIENT_VERSION = '1.0.8';

/** The headers of one call, signed when there are credentials (apache/rocketmq-clients, docs/transport.md). */
export function metadataOf({ clientId, namespace, credentials }: Identity, now = new Date()): Metadata {
  const metadata = new Metadata();
  // 20210309T195445Z
  const dateTime = now.toISOString().replace(/[-:]|\.\d+/g, '');
  metadata.set('x-mq-protocol', 'v2');
  metadata.set('x-mq-client-id', clientId);
  metadata.set('x-mq-date-time', dateTime);
  metadata.set('x-mq-request-id', randomUUID());
  // Class LanguageCode of 5.5.0 has no value for Node.js.
  metadata.set('x-mq-language', 'HTTP');
  metadata.set('x-mq-client-version', CLIENT_VERSION);
  if (namespace !== '') metadata.set('x-mq-namespace', namespace);
  if (credentials === undefined) return metadata;
  const { accessKey, secretKey, securityToken } = credentials;
  if (securityToken !== undefined) metadata.set('x-mq-session-token', securityToken);
  const signature = createHmac('sha1', secretKey).update(dateTime).digest('hex').toUpperCase();
  metadata.set(
    'authorization',
    `MQv2-HMAC-SHA1 Credential=${accessKey}, SignedHeaders=x-mq-date-time, Signature=${signature}`,
  );
  return metadata;
}
