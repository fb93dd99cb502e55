import { describe, expect, it } from 'vitest';
import { declared, identityStatements, ofType, type Resource, type Resources, referred } from './declared.ts';

// Actions on encrypted data, with the actions on the key that they need (Amazon SQS, "Key management"; Amazon Kinesis Data
// Streams, "Permissions to use user-generated KMS keys").
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  'sqs:SendMessage': ['kms:GenerateDataKey', 'kms:Decrypt'],
  'sqs:ReceiveMessage': ['kms:Decrypt'],
  'kinesis:PutRecord': ['kms:GenerateDataKey'],
  'kinesis:PutRecords': ['kms:GenerateDataKey'],
};

const keyOf = ({ Properties = {} }: Resource) =>
  referred(Properties.KmsMasterKeyId ?? Properties.StreamEncryption?.KeyId) ?? 'managed by the service';

const retentionOf = ({ Properties }: Resource): number => Properties.MessageRetentionPeriod ?? 345_600;

/** Logical ids of the dead-letter queues. */
function deadLetterQueues(resources: Resources): string[] {
  const ids = ofType(resources, 'AWS::IoT::TopicRule').map(([, { Properties }]) => {
    return referred(Properties.TopicRulePayload.ErrorAction.Sqs.QueueUrl)!;
  });
  return [...new Set(ids)];
}

describe.each(declared())('encryption in %s', (_, resources) => {
  it('S03 queues and streams are encrypted at rest', () => {
    const queues = ofType(resources, 'AWS::SQS::Queue');
    expect(queues.length).toBeGreaterThan(0);
    for (const [id, { Properties }] of queues)
      expect(Properties.SqsManagedSseEnabled === true || Properties.KmsMasterKeyId !== undefined, id).toBe(true);
    for (const [id, { Properties }] of ofType(resources, 'AWS::Kinesis::Stream'))
      expect(Properties.StreamEncryption?.EncryptionType, id).toBe('KMS');
  });

  it('S03 S18 every queue, also a dead-letter queue, refuses requests without TLS', () => {
    const refusing = ofType(resources, 'AWS::SQS::QueuePolicy').flatMap(([, { Properties }]) => {
      const denies = Properties.PolicyDocument.Statement.some(
        ({ Effect, Action, Principal, Condition }: Resource['Properties']) =>
          Effect === 'Deny' &&
          Action === 'sqs:*' &&
          Principal.AWS === '*' &&
          Condition?.Bool?.['aws:SecureTransport'] === 'false',
      );
      return denies ? Properties.Queues.map(referred) : [];
    });
    expect(refusing.sort()).toEqual(
      ofType(resources, 'AWS::SQS::Queue')
        .map(([id]) => id)
        .sort(),
    );
  });

  it('S03 functions write to log groups with a retention', () => {
    for (const [id, { Properties }] of ofType(resources, 'AWS::Lambda::Function')) {
      const logGroup = referred(Properties.LoggingConfig?.LogGroup);
      expect(resources[logGroup!]?.Properties.RetentionInDays, id).toBeGreaterThan(0);
    }
  });

  it('S03 a principal that may use data encrypted with a customer managed key may use the key, also the rules', () => {
    const allowed = identityStatements(resources);
    for (const { on, Action, Resource } of allowed) {
      for (const id of Resource.map(referred)) {
        const key = id !== undefined && resources[id] !== undefined ? keyOf(resources[id]) : undefined;
        if (key === undefined || resources[key] === undefined) continue;
        const ofKey = allowed
          .filter((other) => other.on === on && other.Resource.some((resource) => referred(resource) === key))
          .flatMap((other) => other.Action);
        const needed = Action.flatMap((action) => NEEDED[action] ?? []);
        expect(ofKey, `${on} on ${id}`).toEqual(expect.arrayContaining(needed));
      }
    }
  });

  it('S18 dead-letter queues have a longer retention than buffers, and the same key', () => {
    const buffers = ofType(resources, 'AWS::SQS::Queue').filter(([, { Properties }]) => Properties.RedrivePolicy);
    expect(buffers.length).toBeGreaterThan(0);
    for (const [id, buffer] of buffers) {
      const dlqMessages = resources[referred(buffer.Properties.RedrivePolicy.deadLetterTargetArn)!]!;
      expect(retentionOf(dlqMessages), id).toBeGreaterThan(retentionOf(buffer));
      expect(keyOf(dlqMessages), id).toBe(keyOf(buffer));
    }
  });

  it('S18 no role of a task may receive or delete dead letters', () => {
    const queues = deadLetterQueues(resources);
    expect(queues.length).toBeGreaterThan(0);
    for (const { on, Action, Resource } of identityStatements(resources)) {
      if (Resource.some((resource) => queues.includes(referred(resource) ?? '')))
        expect([on, Action]).toEqual([on, ['sqs:SendMessage']]);
    }
  });
});

describe('the keys of these tests', () => {
  it('S03 are used by queues and by a stream', () => {
    const [, resources] = declared().at(-1)!;
    const keyed = Object.values(resources).filter((resource) => resources[keyOf(resource)]?.Type === 'AWS::KMS::Key');
    const types = new Set(keyed.map(({ Type }) => Type));
    expect(types).toEqual(new Set(['AWS::SQS::Queue', 'AWS::Kinesis::Stream']));
  });
});
