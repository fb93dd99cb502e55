import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SqsApi } from '../../../lambdas/buffer/sqs/api.ts';
import { deadLetterQueue } from '../../../lambdas/buffer/sqs/dead-letter-queue.ts';
import { sqsApi } from '../../../lambdas/buffer/sqs/on-demand-api.ts';
import { NeverRetry } from '../../../lambdas/core/errors.ts';
import type { DeadLetter } from '../../../lambdas/worker/message.ts';

const dlqMessage = (body: string): DeadLetter => ({
  body,
  error: new NeverRetry('REJECTED', 'no'),
  stage: 'deliver',
  messageId: 'm',
  firstSeen: 1,
  retryAttempts: 0,
  exhausted: 'None',
  ruleArn: 'r',
  targetArn: 't',
});

// SQS fails single entries of a batch, and whole calls, when it likes; a script does so on demand.
describe('the dead-letter queue', () => {
  it('reports for each dead letter whether it is stored, within ten entries and 1 MiB a call (F30)', async () => {
    const results = fc.array(
      fc.record({
        result: fc.constantFrom('stored', 'refused', 'call fails'),
        bytes: fc.integer({ min: 1, max: 170_000 }),
      }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(results, async (given) => {
        const stored: string[] = [];
        const logged: object[] = [];
        const queue = deadLetterQueue({
          queueUrl: 'q',
          task: 't',
          log: (entry) => logged.push(entry),
          api: {
            ...sqsApi(),
            async sendBatch({ Entries }) {
              const entries = Entries!.map(({ Id, MessageBody }) => ({
                Id: Id!,
                body: MessageBody!,
                result: given[Number.parseInt(MessageBody!, 10)]!.result,
              }));
              expect(entries.length).toBeLessThanOrEqual(10);
              expect(entries.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0)).toBeLessThanOrEqual(
                1024 * 1024,
              );
              if (entries.some(({ result }) => result === 'call fails')) throw new Error('timed out');
              stored.push(...entries.filter(({ result }) => result === 'stored').map(({ body }) => body));
              return {
                Successful: entries
                  .filter(({ result }) => result === 'stored')
                  .map(({ Id }) => ({ Id, MessageId: Id, MD5OfMessageBody: '' })),
                Failed: entries
                  .filter(({ result }) => result !== 'stored')
                  .map(({ Id }) => ({ Id, SenderFault: false, Code: 'InternalError' })),
              };
            },
          },
        });
        const dlqMessages = given.map(({ bytes }, i) => dlqMessage(`${i}:`.padEnd(bytes, 'x')));
        const answers = await queue.send(dlqMessages);
        expect(answers).toEqual(dlqMessages.map(({ body }) => stored.includes(body)));
        expect(logged.length > 0).toBe(answers.includes(false));
      }),
    );
  });

  it('escapes the characters of a body that SQS refuses', async () => {
    const bodies: unknown[] = [];
    const sendBatch = async ({ Entries = [] }: { Entries?: { MessageBody?: string }[] | undefined }) => {
      bodies.push(...Entries.map(({ MessageBody }) => MessageBody));
      return { Successful: [], Failed: [] };
    };
    const api = { ...sqsApi(), sendBatch } as unknown as SqsApi;
    await deadLetterQueue({ queueUrl: 'q', task: 't', log: () => {}, api }).send([
      dlqMessage('a\uffff'),
      dlqMessage(''),
    ]);
    expect(bodies).toEqual(['a\\uffff', '""']);
  });
});
