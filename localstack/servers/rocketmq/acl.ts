/** Who may do what on a test server, beside our own admin. */
export interface Acl {
  /** More than six characters: version 4 wants that. */
  readonly accessKey: string;
  /** More than six characters. */
  readonly secretKey: string;
  /**
   * Topics it may publish to and read.
   *
   * @default - all
   */
  readonly topics?: readonly string[];
}

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Makes topics and reads them. */
export const ADMIN: Credentials = { accessKey: 'outflow-admin', secretKey: 'outflow-admin-secret' };

/** Of version 4: `conf/plain_acl.yml`, which is JSON, too. */
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

/** Where the broker of version 5 keeps users, and the one that makes the others. */
export function brokerAuthSettings(): Record<string, string | boolean> {
  return {
    ...authSettings(),
    authenticationMetadataProvider: `${AUTH}.authentication.provider.LocalAuthenticationMetadataProvider`,
    authorizationMetadataProvider: `${AUTH}.authorization.provider.LocalAuthorizationMetadataProvider`,
    initAuthenticationUser: JSON.stringify({ username: ADMIN.accessKey, password: ADMIN.secretKey }),
  };
}

/** The proxy asks the broker. */
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
