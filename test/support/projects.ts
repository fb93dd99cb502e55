/** Test files that start servers or run whole paths: minutes rather than seconds. */
export const WHOLE = ['test/whole/', 'test/docker-free/', 'test/servers/'];

/** Test files that declare constructs: they load aws-cdk-lib, which takes each process seconds. */
export const SYNTH = ['test/lib/', 'test/security/', 'test/cloud/local.test.ts', 'test/schema.test.ts'];
