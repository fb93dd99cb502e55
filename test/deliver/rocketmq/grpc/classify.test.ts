import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { NeverRetry, RetryLater, StopTask } from '../../../../lambdas/core/errors.ts';
import { classify, isCredentialsRefusal } from '../../../../lambdas/deliver/rocketmq/grpc/classify.ts';
import { NoAnswerError, RefusedError } from '../../../../lambdas/deliver/rocketmq/grpc/errors.ts';

const noAnswer = (code: number, message: string) =>
  new NoAnswerError('sendMessage', '10.0.0.5:8081', Object.assign(new Error(message), { code }) as ServiceError);
const answer = (code: number, remark = '') => new RefusedError('10.0.0.5:8081', code, remark);
const short = (error: unknown, over: object = {}) => {
  const verdict = classify(error, { topic: 'T', isTopicRendered: false, ...over });
  if (verdict instanceof NeverRetry) return verdict.code;
  return verdict instanceof RetryLater ? `retry: ${verdict.kind}` : 'stop';
};

describe('what a proxy answers', () => {
  it.each<[string, number, string?]>([
    ['REJECTED', 40_000],
    ['stop', 40_001],
    ['stop', 40_002, 'illegal topic'],
    ['REJECTED', 40_004],
    ['REJECTED', 40_007],
    ['REJECTED', 40_012],
    ['stop', 40_014],
    ['retry: unavailable', 40_015, 'cannot find client settings for this client'],
    ['stop', 40_100, 'User:x is not found.'],
    ['stop', 40_100, 'User:x has no permission to access Topic:T from 10.0.0.9, no matched policies.'],
    ['stop', 40_200],
    ['stop', 40_300],
    ['stop', 40_402],
    ['retry: timeout', 40_800],
    ['MESSAGE_TOO_LARGE', 41_301],
    ['REJECTED', 41_302],
    ['retry: throttled', 42_900],
    ['MESSAGE_TOO_LARGE', 43_101],
    ['retry: unavailable', 50_001, 'a store that is in trouble'],
    ['MESSAGE_TOO_LARGE', 50_001, 'the message is illegal, maybe msg body or properties length not matched.'],
    ['stop', 50_100],
    ['retry: timeout', 50_400],
    ['stop', 50_500],
    ['retry: unavailable', 71_234, 'a code of the future'],
  ])('is %s for code %i: %s', (wanted, code, message) => expect(short(answer(code, message))).toBe(wanted));

  it('is the message’s fault when a template named the topic, or the message decides its own type', () => {
    const rendered = { isTopicRendered: true };
    for (const code of [40_002, 40_014, 40_300, 40_402]) expect(short(answer(code), rendered)).toBe('INVALID_TARGET');
    expect(short(answer(40_100, 'User:x has no permission to access Topic:T'), rendered)).toBe('INVALID_TARGET');
    expect(short(answer(40_100, 'User:x is not found'), rendered)).toBe('stop');
    expect(short(answer(40_014), { isTypeRendered: true })).toBe('INVALID_TARGET');
  });

  it('is retried for a missing topic that was delivered to a moment ago', () => {
    expect(short(answer(40_402), { isTopicKnown: true })).toBe('retry: unavailable');
    expect(short(answer(40_300), { isTopicKnown: true })).toBe('stop');
  });

  it('is a refusal of credentials only when the user or the signature is refused', () => {
    expect(isCredentialsRefusal(answer(40_100, 'User:x is not found.'))).toBe(true);
    expect(isCredentialsRefusal(answer(40_100, 'User:x has no permission to access Topic:T'))).toBe(false);
    expect(isCredentialsRefusal(answer(40_300))).toBe(false);
  });
});

describe('no answer of a proxy', () => {
  it.each([
    ['retry: timeout', 4, 'DEADLINE_EXCEEDED'],
    ['retry: throttled', 8, 'RESOURCE_EXHAUSTED'],
    ['stop', 12, 'UNIMPLEMENTED'],
    ['retry: unavailable', 13, 'Received RST_STREAM with code 2'],
    ['retry: unavailable', 14, 'No connection established. Last error: Error: connect ECONNREFUSED'],
    ['stop', 14, 'No connection established. Last error: Error: self-signed certificate in certificate chain'],
    ['stop', 14, "Last error: Error: Hostname/IP does not match certificate's altnames"],
    ['stop', 14, 'Last error: Error: 0:error:0A00010B:SSL routines::wrong version number'],
  ])('is %s for %i %s', (wanted, code, message) => expect(short(noAnswer(code, message))).toBe(wanted));

  it('is no TLS failure because of a server’s name', () => {
    const address = 'tls.certificate.example:8081';
    for (const [wanted, message] of [
      ['retry: unavailable', 'No connection established. Last error: connect ECONNREFUSED 10.0.0.5:8081'],
      ['retry: unavailable', `Name resolution failed for target dns:${address}`],
      ['stop', 'No connection established. Last error: Error: unable to get local issuer certificate'],
    ] as const) {
      const cause = Object.assign(new Error(`14 UNAVAILABLE: ${message}`), { code: 14 }) as ServiceError;
      expect(short(new NoAnswerError('sendMessage', address, cause))).toBe(wanted);
    }
  });

  it('leaves open whether the message is stored, unless it was never sent', () => {
    const reason = (error: Error) => classify(error, { topic: 'T', isTopicRendered: false }).message;
    expect(reason(noAnswer(4, 'late'))).toBe('send to topic T: 10.0.0.5:8081: late (it may be stored)');
    expect(reason(noAnswer(14, 'Connection dropped'))).toMatch(/may be stored/);
    expect(reason(noAnswer(14, 'No connection established'))).not.toMatch(/may be stored/);
    expect(reason(answer(42_900, 'busy'))).not.toMatch(/may be stored/);
  });
});

describe('a reason', () => {
  it('is one line, and keeps its cause', () => {
    const cause = answer(50_001, `a\n  b ${'x'.repeat(1_000)}`);
    const long = classify(cause, { topic: 'T', isTopicRendered: false });
    expect(long.cause).toBe(cause);
    expect(long.message).toMatch(
      /^send to topic T: 10\.0\.0\.5:8081 answered code 50001: a b x+… \(it may be stored\)$/,
    );
    expect(long.message.length).toBeLessThan(400);
  });

  it('that is a verdict already stays unchanged', () => {
    const stop = new StopTask('no secret');
    expect(classify(stop, { topic: 'T', isTopicRendered: true })).toBe(stop);
  });
});
