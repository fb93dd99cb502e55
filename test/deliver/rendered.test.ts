import type { ServiceError } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopTask } from '../../lambdas/core/errors.ts';
import { classifyCall } from '../../lambdas/deliver/kinesis/classify.ts';
import { classifyCall as classifyRepublish } from '../../lambdas/deliver/republish/classify.ts';
import { classify as classifyByProxy } from '../../lambdas/deliver/rocketmq/grpc/classify.ts';
import { NoAnswerError, RefusedError as RefusedByProxy } from '../../lambdas/deliver/rocketmq/grpc/errors.ts';
import { classify } from '../../lambdas/deliver/rocketmq/remoting/classify.ts';
import { resultCodes } from '../../lambdas/deliver/rocketmq/remoting/command.ts';
import { MissingTopicError, RefusedError } from '../../lambdas/deliver/rocketmq/remoting/errors.ts';

// A failure stops the task for two reasons only: the servers refuse the worker itself, or a target that the task names is
// unusable. Where the message named the target, or its type, the message alone is dead-lettered.

const shown = (verdict: Error) => ('code' in verdict ? verdict.code : verdict.name);

describe('a failure whose target a message named stops the task', () => {
  it('in Kinesis only for credentials and TLS', () => {
    const errors = [
      'AccessDeniedException CredentialsProviderError ExpiredTokenException IncompleteSignature InternalFailure',
      'InvalidArgumentException InvalidClientTokenId InvalidSignatureException KMSAccessDeniedException KMSDisabledException',
      'KMSInvalidStateException KMSNotFoundException KMSOptInRequired KMSThrottlingException LimitExceededException',
      'MissingAuthenticationTokenException OptInRequired ProvisionedThroughputExceededException ResourceNotFoundException',
      'ServiceUnavailable ThrottlingException UnrecognizedClientException ValidationException Unknown',
    ].flatMap((names) => names.split(' '));
    const verdict = (name: string, isRendered: boolean) =>
      shown(classifyCall(Object.assign(new Error('no'), { name }), { name: 's', isRendered }));
    const stops = errors.filter((name) => verdict(name, true) === 'StopTask');
    expect(stops.filter((name) => !/Token|Signature|Credentials|^OptIn|Client/.test(name))).toEqual([]);
    // What the message is to blame for stops a task that named the stream itself, and is never retried.
    for (const name of errors)
      if (verdict(name, false) === 'StopTask' && !stops.includes(name))
        expect([name, verdict(name, true)]).toEqual([name, 'INVALID_TARGET']);
    expect(verdict('KMSDisabledException', false)).toBe('StopTask');
  });

  it('in AWS IoT Core only for credentials and TLS', () => {
    const error = (name: string, message = 'no') => Object.assign(new Error(message), { name });
    const verdict = (error: Error, isRendered: boolean) => shown(classifyRepublish(error, { name: 't', isRendered }));
    for (const name of ['ForbiddenException', 'UnauthorizedException', 'AccessDeniedException']) {
      expect([name, verdict(error(name), false), verdict(error(name), true)]).toEqual([
        name,
        'StopTask',
        'INVALID_TARGET',
      ]);
      // AWS IoT Core gives expired credentials and denied topics one name; the text may repeat a topic, never at its beginning.
      const expired = error(name, 'The security token included in the request is expired');
      expect(verdict(expired, true)).toBe('StopTask');
      expect(verdict(error(name, 'not authorized: The security token'), true)).toBe('INVALID_TARGET');
    }
    const others = {
      ExpiredTokenException: 'StopTask',
      InvalidRequestException: 'REJECTED',
      MethodNotAllowedException: 'REJECTED',
      RequestEntityTooLargeException: 'MESSAGE_TOO_LARGE',
      InternalFailureException: 'RetryLater',
      ServiceUnavailableException: 'RetryLater',
      ThrottlingException: 'RetryLater',
      Unknown: 'RetryLater',
    };
    for (const [name, wanted] of Object.entries(others))
      for (const isRendered of [true, false]) expect([name, verdict(error(name), isRendered)]).toEqual([name, wanted]);
    // A connection that ends is no disagreement on TLS.
    const hungUp = Object.assign(error('Error', 'socket hang up'), { code: 'ECONNRESET' });
    expect(classifyRepublish(hungUp, { name: 't', isRendered: false })).toMatchObject({ kind: 'unavailable' });
    expect(classifyRepublish(error('ThrottlingException'), { name: 't', isRendered: false })).toMatchObject({
      kind: 'throttled',
    });
  });

  it('by proxies only for the client, its credentials, the quota and TLS', () => {
    const rendered = { topic: 'T', isTopicRendered: true, isTypeRendered: true };
    const ofTheClient = (code: number) =>
      [401, 402].includes(Math.floor(code / 100)) || [40_001, 40_017].includes(code);
    for (let code = 20_001; code < 72_000; code++) {
      const verdict = classifyByProxy(new RefusedByProxy('p:1', code, ''), rendered);
      if (verdict instanceof StopTask !== ofTheClient(code)) expect(`code ${code}`).toBe(shown(verdict));
    }
    const noAnswers = Array.from({ length: 17 }, (_, code) =>
      classifyByProxy(
        new NoAnswerError('sendMessage', 'p:1', Object.assign(new Error('no'), { code }) as ServiceError),
        rendered,
      ),
    );
    expect(noAnswers.flatMap((verdict, code) => (verdict instanceof StopTask ? [code] : []))).toEqual([12, 16]);
  });

  it('by proxies not for the type that a group or a time gave the message', () => {
    for (const code of [40_014, 50_100, 50_500]) {
      const refused = new RefusedByProxy('p:1', code, '');
      const verdict = (over: object) =>
        shown(classifyByProxy(refused, { topic: 'T', isTopicRendered: false, ...over }));
      expect([code, verdict({}), verdict({ isTypeRendered: true })]).toEqual([code, 'StopTask', 'INVALID_TARGET']);
    }
  });

  const REMARKS = (topic: string) => [
    `org.apache.rocketmq.acl.common.AclException: No default permission for topic:${topic}`,
    `Sending message to topic[${topic}] is forbidden.`,
    `The specified topic: ${topic}, contains illegal characters`,
    `topic[${topic}] not exist, apply first please!`,
    `User:x has no permission to access Topic:${topic} from 10.0.0.1, no matched policies.`,
    `request queueId[9] is illegal, TopicConfig [topicName=${topic}]`,
    `${topic} is refused`,
    topic,
    '',
  ];
  const OF_THE_CLIENT = [
    'org.apache.rocketmq.acl.common.AclException: Check signature failed for accessKey=x',
    'User:x is not found.',
    'check signature failed.',
    'username cannot be null.',
  ];
  const WORDS =
    'AclException signature queueId NullPointer topic is not found cannot null broker forbidden deny timer a';

  it('by brokers only for the client and its credentials, whatever the topic is called', () => {
    const refuses = (code: number, topic: string, nth: number) => {
      // These two codes depend on the request alone.
      if (code === resultCodes.requestCodeNotSupported || code === resultCodes.versionNotSupported) return;
      const refused = new RefusedError('b:1', code, REMARKS(topic)[nth]!);
      const verdict = classify(refused, { topic, isTopicRendered: true, isMaybeStored: false });
      expect([code, refused.remark, shown(verdict)]).not.toContain('StopTask');
    };
    for (const code of Object.values(resultCodes))
      for (const topic of WORDS.split(' ')) for (const nth of REMARKS('').keys()) refuses(code, topic, nth);
    const topic = fc.string({ unit: fc.constantFrom('t', 'o', 'p', 'i', 'c', '-') });
    fc.assert(fc.property(fc.integer({ min: 1, max: 300 }), topic, fc.nat(REMARKS('').length - 1), refuses));
    for (const remark of OF_THE_CLIENT) {
      const refused = new RefusedError('b:1', remark.includes('Acl') ? 1 : 16, remark);
      expect(shown(classify(refused, { topic: 'T', isTopicRendered: true, isMaybeStored: false }))).toBe('StopTask');
    }
  });

  it('and is not retried when the name can never be right', () => {
    for (const error of [
      new RefusedError('b:1', 26, 'subscription group [x] not exist'),
      new RefusedError('b:1', 17, 'topic[T] not exist'),
      new MissingTopicError('topic T does not exist'),
    ]) {
      const verdict = (isTopicRendered: boolean) =>
        shown(classify(error, { topic: 'T', isTopicRendered, isMaybeStored: false }));
      expect([verdict(true), verdict(false)]).toEqual(['INVALID_TARGET', 'StopTask']);
    }
  });
});

describe('a server’s text', () => {
  it('is read up to a bound, because regular expressions take quadratic time', () => {
    const long = 'topic '.repeat(40_000);
    const remote = new RefusedError('b:1', 1, long);
    const byProxy = new RefusedByProxy('p:1', 50_001, long);
    const noAnswer = new NoAnswerError(
      'sendMessage',
      'p:1',
      Object.assign(new Error(long), { code: 14 }) as ServiceError,
    );
    for (const text of [
      remote.remark,
      remote.message,
      byProxy.remark,
      byProxy.message,
      noAnswer.reason,
      noAnswer.message,
    ])
      expect(text.length).toBeLessThan(1_100);
  });
});
