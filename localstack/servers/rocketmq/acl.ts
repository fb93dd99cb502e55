/** The one user of a test server besides its admin, and the user's permissions. */
export interface Acl {
  /** More than six characters; version 4 requires it. */
  readonly accessKey: string;
  /** More than six characters; version 4 requires it. */
  readonly secretKey: string;
  /**
   * Topics that the user may publish to and read.
   *
   * @default - all topics
   */
  readonly topics?: readonly string[];
}

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Creates topics and reads them. */
export const ADMIN: Credentials = { accessKey: 'outflow-admin', secretKey: 'outflow-admin-secret' };

/** Contents of version 4's `conf/plain_acl.yml`. YAML parsers read JSON. */
export function plainAcl({ accessKey, secretKey, topics }: Acl): object {
  return {
    accounts: [
      { ...ADMIN, admin: true },
      {
        accessKey,
        secretKey,
        admin: false,
        defaultTopicPerm: topics ? 'DENY' : 'PUB|SUB',
        defaultGroupPerm: 'PUB|SUB',
        topicPerms: topics?.map((topic) => `${topic}=PUB|SUB`) ?? [],
      },
    ],
  };
}

/** Settings of a version 5 broker: its user store, and the admin who creates the other user. */
export function brokerAuthSettings(): Record<string, string | boolean> {
  return {
    ...authSettings(),
    authenticationMetadataProvider: `${AUTH}.authentication.provider.LocalAuthenticationMetadataProvider`,
    authorizationMetadataProvider: `${AUTH}.authorization.provider.LocalAuthorizationMetadataProvider`,
    initAuthenticationUser: JSON.stringify({ username: ADMIN.accessKey, password: ADMIN.secretKey }),
  };
}

/** Settings of a version 5 proxy, which authenticates and authorizes at the broker. */
export function proxyAuthSettings(): Record<string, string | boolean> {
  return {
    ...authSettings(),
    authenticationMetadataProvider: 'org.apache.rocketmq.proxy.auth.ProxyAuthenticationMetadataProvider',
    authorizationMetadataProvider: 'org.apache.rocketmq.proxy.auth.ProxyAuthorizationMetadataProvider',
  };
}

function authSettings(): Record<string, string | boolean> {
  return {
    authenticationEnabled: true,
    authenticationProvider: `${AUTH}.authentication.provider.DefaultAuthenticationProvider`,
    authorizationEnabled: true,
    authorizationProvider: `${AUTH}.authorization.provider.DefaultAuthorizationProvider`,
    innerClientAuthenticationCredentials: JSON.stringify(ADMIN),
  };
}

const AUTH = 'org.apache.rocketmq.auth';
