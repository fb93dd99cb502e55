import fc from 'fast-check';
import { MAX_TIME_MS } from '../../lambdas/deliver/rocketmq/constraints.ts';
import type { Message } from '../../lambdas/deliver/rocketmq/message.ts';
import { anyCharacter } from './characters.ts';

const text = fc.string({ unit: anyCharacter, minLength: 1, maxLength: 70 });
/** Any time, often near the longest delay that servers accept by default: a day for proxies, three days for brokers. */
const time = fc.oneof(
  fc.nat(MAX_TIME_MS),
  fc.constantFrom(0, 1, MAX_TIME_MS),
  fc.integer({ min: -4, max: 4 }).map((days) => Date.now() + days * 86_400_000),
);

/** Messages that a task renders from what a hostile device publishes: any texts, and a group or a time if the type has one. */
export function hostileMessages(type: 'plain' | 'group' | 'time'): fc.Arbitrary<Message> {
  return fc.record({
    body: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    keys: fc.array(text, { maxLength: 3 }),
    tag: fc.option(text, { nil: undefined }),
    properties: fc.dictionary(fc.string({ unit: anyCharacter, maxLength: 20 }), text, { maxKeys: 4 }),
    group: type === 'group' ? text : fc.constant(undefined),
    deliverAtMs: type === 'time' ? time : fc.constant(undefined),
  });
}
