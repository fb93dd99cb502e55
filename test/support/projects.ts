/** Test files that start servers or run whole paths. They take minutes. */
export const WHOLE = ['test/whole/', 'test/docker-free/', 'test/servers/'];

/** Test files that declare constructs. They load aws-cdk-lib, which takes seconds in each process. */
export const SYNTH = ['test/lib/', 'test/security/', 'test/cloud/local.test.ts', 'test/schema.test.ts'];
