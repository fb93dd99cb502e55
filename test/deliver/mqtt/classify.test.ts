import { describe, expect, it } from 'vitest';
import { NeverRetry, RetryLater, StopTask } from '../../../lambdas/core/errors.ts';
import {
  acknowledgementVerdict,
  connectVerdict,
  mayBeForAMessage,
  publishVerdict,
  refusedAloneVerdict,
} from '../../../lambdas/deliver/mqtt/classify.ts';
import { UnreachableError } from '../../../lambdas/net/dial.ts';
import { ConnectionClosedError, ConnectionRefusedError, NoAnswerError } from '../../../lambdas/net/mqtt/errors.ts';

const SERVER = 'mqtt://broker:1883';
const rendered = { topic: 't', isTopicRendered: true };
const named = { topic: 't', isTopicRendered: false };

function shown(verdict: Error): string {
  if (verdict instanceof RetryLater) return verdict.kind === 'throttled' ? 'throttled' : 'retry';
  if (verdict instanceof NeverRetry) return verdict.code;
  return verdict instanceof StopTask ? 'stop' : verdict.name;
}

/** Codes from `first` to 0xff whose verdicts are not `usual`. */
function table(first: number, usual: string, verdict: (code: number) => string): Record<string, string> {
  const found: Record<string, string> = {};
  for (let code = first; code <= 0xff; code++) if (verdict(code) !== usual) found[code.toString(16)] = verdict(code);
  return found;
}

describe('a CONNACK', () => {
  const verdict = (version: 3 | 4 | 5) => (code: number) =>
    shown(connectVerdict(new ConnectionRefusedError(code, version), SERVER));

  it('of MQTT 5 stops the task for what does not change by waiting', () => {
    expect(table(1, 'retry', verdict(5))).toEqual({
      81: 'stop', // malformed packet
      82: 'stop', // protocol error
      84: 'stop', // unsupported protocol version
      85: 'stop', // client id not valid
      86: 'stop', // bad user name or password
      87: 'stop', // not authorized
      '8a': 'stop', // banned
      '8c': 'stop', // bad authentication method
      95: 'stop', // packet too large
      '9d': 'stop', // server moved
      89: 'throttled', // server busy
      96: 'throttled', // message rate too high
      97: 'throttled', // quota exceeded
      '9f': 'throttled', // connection rate exceeded
    });
  });

  it.each([3, 4] as const)('of version %i stops the task for what does not change by waiting', (version) => {
    expect(table(1, 'retry', verdict(version))).toEqual({ 1: 'stop', 2: 'stop', 4: 'stop', 5: 'stop' });
  });
});

describe('an acknowledgement', () => {
  it('blames a message for the topic that it named', () => {
    expect(table(0x80, 'retry', (code) => shown(acknowledgementVerdict(code, rendered)))).toEqual({
      87: 'INVALID_TARGET', // not authorized
      90: 'INVALID_TARGET', // topic name invalid
      95: 'MESSAGE_TOO_LARGE', // packet too large
      97: 'throttled', // quota exceeded
      99: 'REJECTED', // payload format invalid
    });
  });

  it('stops a task for the topic that the task named', () => {
    expect(table(0x80, 'retry', (code) => shown(acknowledgementVerdict(code, named)))).toEqual({
      87: 'stop',
      90: 'stop',
      95: 'MESSAGE_TOO_LARGE',
      97: 'throttled',
      99: 'REJECTED',
    });
  });
});

describe('the end of a connection', () => {
  const ended = (code?: number) => new ConnectionClosedError('closed', code === undefined ? {} : { code });

  it('may be for a message with these codes, or without one', () => {
    const codes = Array.from({ length: 0x100 }, (_, code) => code).filter((code) => mayBeForAMessage(ended(code)));
    expect(codes.map((code) => code.toString(16))).toEqual(
      // unspecified, malformed packet, protocol error, implementation-specific, not authorized, topic name invalid,
      // packet too large, payload format invalid, retain and QoS not supported
      ['80', '81', '82', '83', '87', '90', '95', '99', '9a', '9b'],
    );
    expect(mayBeForAMessage(ended())).toBe(true);
    expect(mayBeForAMessage(new ConnectionClosedError('time-out', { isByClient: true }))).toBe(false);
  });

  it('is a passing failure, unless it happens whenever the message comes alone', () => {
    expect(table(0, 'retry', (code) => shown(publishVerdict(ended(code), rendered, SERVER)))).toEqual({
      89: 'throttled',
      96: 'throttled',
      97: 'throttled',
      '9f': 'throttled',
    });
    expect(table(0, 'REJECTED', (code) => shown(refusedAloneVerdict(ended(code), rendered)))).toEqual({
      87: 'INVALID_TARGET',
      90: 'INVALID_TARGET',
      95: 'MESSAGE_TOO_LARGE',
    });
    expect(table(0, 'stop', (code) => shown(refusedAloneVerdict(ended(code), named)))).toEqual({
      95: 'MESSAGE_TOO_LARGE',
      99: 'REJECTED',
    });
  });
});

describe('a failure to connect', () => {
  const unreachable = (cause?: Error) => new UnreachableError('broker:1883', 'no', cause && { cause });
  const failure = (over: object) => Object.assign(new Error('no'), over);

  it.each([
    ['TCP', 'retry', unreachable(failure({ code: 'ECONNREFUSED', syscall: 'connect' }))],
    ['DNS', 'retry', unreachable(failure({ code: 'ENOTFOUND', syscall: 'getaddrinfo' }))],
    ['time-out', 'retry', unreachable()],
    ['time-out', 'retry', unreachable(failure({ code: 'ETIMEDOUT', syscall: 'connect' }))],
    ['MQTT', 'retry', unreachable(new NoAnswerError('no'))],
    ['MQTT', 'retry', unreachable(new ConnectionClosedError('no'))],
    ['MQTT', 'retry', new ConnectionClosedError('no')],
    ['MQTT', 'retry', new NoAnswerError('no')],
    ['TLS', 'stop', unreachable(failure({ code: 'CERT_HAS_EXPIRED' }))],
    ['TLS', 'stop', unreachable(failure({ code: 'ECONNRESET' }))],
  ])('names its class: %s → %s', (kind, expected, error) => {
    const verdict = connectVerdict(error, SERVER);
    expect([shown(verdict), verdict.message]).toEqual([expected, expect.stringContaining(`${SERVER}: ${kind}: `)]);
  });

  it('leaves unexpected errors to the worker', () => {
    expect(() => connectVerdict(new TypeError('no'), SERVER)).toThrow(TypeError);
  });
});
