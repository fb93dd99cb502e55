/** Test files that start servers, wait for a scripted one, or run whole paths. They take minutes. */
export const WHOLE = [
  'test/whole/',
  'test/docker-free/',
  'test/servers/',
  'test/deliver/mqtt/sink.test.ts',
  'test/net/mqtt/connection.test.ts',
  'test/source/mqtt/session.test.ts',
];

/** Test files that declare constructs. They load aws-cdk-lib, which takes seconds in each process. */
export const SYNTH = ['test/lib/', 'test/security/', 'test/cloud/local.test.ts', 'test/schema.test.ts'];
