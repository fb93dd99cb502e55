import { Command, CommanderError } from 'commander';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Cloud, TaskReport } from '../../bin/cloud/cloud.ts';
import type { DeadLetter } from '../../bin/cloud/dead-letter.ts';
import type { RedriveCounts } from '../../bin/cloud/redrive.ts';
import type { WaitClock } from '../../bin/commands/change-state.ts';
import { operateCommands } from '../../bin/commands/operate.ts';
import type { Terminal } from '../../bin/commands/terminal.ts';
import { envelope } from '../support/messages.ts';

/**
 * A cloud with a task `Warm` that runs: from `devices/+/telemetry`, filtered by `body.temp > 20`, into one Kinesis stream
 * whose records hold the payload's `n`.
 */
export interface CloudUnderTest {
  readonly cloud: Cloud;
  publish(payload: string): Promise<unknown>;
  /** The numbers that the stream holds now. */
  delivered(): Promise<readonly number[]>;
  deleteStream(): Promise<void>;
  createStream(): Promise<void>;
  /** Sends a message to the task's dead-letter queue. */
  sendDeadLetter(body: string, attributes: Readonly<Record<string, string>>): Promise<void>;
  /** Deletes all dead letters. */
  purgeDeadLetters(): Promise<void>;
}

export interface ContractOptions {
  readonly patience: { readonly timeout: number; readonly interval: number };
  /** Wait also for messages that were tried while the sink was down: they arrive after up to a minute. */
  readonly isPatient: boolean;
}

/** What the commands promise, wherever the tasks run. */
export function cloudContract(open: () => CloudUnderTest, { patience, isPatient }: ContractOptions): void {
  let under: CloudUnderTest;
  let next = 1;
  beforeAll(() => {
    under = open();
  });

  const outflow = async <Answer>(...words: string[]) => {
    const { answer, failed } = await command(under.cloud, [...words, '--json']);
    return { answer: JSON.parse(answer) as Answer, failed };
  };
  const status = async () => (await outflow<TaskReport[]>('status', 'Warm')).answer[0]!;
  const publishNumbers = async (count: number) => {
    const numbers = Array.from({ length: count }, () => next++);
    for (const n of numbers) await under.publish(JSON.stringify({ n, temp: 30 }));
    return numbers;
  };
  const arrived = (numbers: readonly number[]) =>
    vi.waitUntil(async () => {
      const delivered = new Set(await under.delivered());
      return numbers.every((n) => delivered.has(n));
    }, patience);
  const deadLetters = async (...options: string[]) => {
    const { answer } = await outflow<{ byCode: Record<string, number>; oldest: DeadLetter[] }>(
      'dlq',
      'Warm',
      ...options,
    );
    return answer;
  };

  it('lists tasks; they run and reach their sinks', async () => {
    const { answer: tasks } = await outflow<object[]>('list');
    expect(tasks).toContainEqual(
      expect.objectContaining({ task: 'Warm', sink: 'kinesis', filters: ['devices/+/telemetry'] }),
    );
    await vi.waitUntil(async () => (await status()).status === 'Running', patience);
    expect((await status()).mappings).toEqual(['Enabled', 'Enabled']);
    expect(await outflow('test-connectivity', 'Warm')).toEqual({
      failed: false,
      answer: [{ task: 'Warm', ok: true, detail: expect.stringContaining('ACTIVE') }],
    });
    await expect(command(under.cloud, ['status', 'Cold'])).rejects.toThrow(/no task Cold; expected one of .*Warm/);
  });

  it('pauses: messages pile up in the queue, and are delivered once it is enabled', async () => {
    expect(await outflow('pause', 'Warm', '--yes')).toMatchObject({ failed: false, answer: { status: 'Paused' } });
    const numbers: number[] = [];
    // A poll that had started when the mapping was disabled may still receive the first messages.
    await vi.waitUntil(async () => {
      numbers.push(...(await publishNumbers(1)));
      return ((await status()).waiting ?? 0) >= 5;
    }, patience);
    expect(await under.delivered()).not.toContain(numbers.at(-1));
    const enabled = await outflow<TaskReport>('enable', 'Warm', '--yes');
    expect(enabled).toMatchObject({ failed: false, answer: { status: 'Running', mappings: ['Enabled', 'Enabled'] } });
    await arrived(numbers);
  });

  it('reads what arrived at the target', async () => {
    const [n] = await publishNumbers(1);
    await arrived([n!]);
    const { answer } = await outflow<{ key: string; body: { json: unknown } }[]>('read', 'Warm', '--limit', '10000');
    expect(answer).toContainEqual(expect.objectContaining({ body: { json: expect.objectContaining({ n }) } }));
    expect((await command(under.cloud, ['read', 'Warm', '--limit', '10000'])).answer).toMatch(
      new RegExp(`"n": ${n}\\b`),
    );
  });

  it('reports why a task stopped that cannot reach its sink; it keeps its backlog, and resumes by itself', async () => {
    await under.deleteStream();
    expect((await outflow('test-connectivity', 'Warm')).failed).toBe(true);
    expect(await outflow('enable', 'Warm', '--yes')).toMatchObject({
      failed: true,
      answer: { cause: expect.stringMatching(/ResourceNotFound/) },
    });
    const tried: number[] = [];
    const stopped = await vi.waitUntil(async () => {
      tried.push(...(await publishNumbers(1)));
      const report = await status();
      return report.status === 'Start Failed' && report;
    }, patience);
    expect(stopped.cause).toMatch(/ResourceNotFoundException/);
    expect((await outflow('status')).failed).toBe(true);
    await vi.waitUntil(async () => (await status()).mappings.every((state) => state === 'Disabled'), patience);
    const backlog = await publishNumbers(3);
    await vi.waitUntil(async () => {
      const { waiting, inFlight, retrying } = await status();
      return waiting! + inFlight + retrying >= tried.length + backlog.length;
    }, patience);
    expect((await deadLetters()).byCode).toEqual({});

    await under.createStream();
    await vi.waitUntil(async () => (await status()).status === 'Running', patience);
    await arrived(isPatient ? [...tried, ...backlog] : backlog);
  });

  describe('dead letters', () => {
    it('are shown with their reasons, and stay; a redriven one passes through its task again', async () => {
      await under.publish('{"n":');
      const [deadLetter] = await vi.waitUntil(async () => {
        const { oldest } = await deadLetters('--code', 'INVALID_PAYLOAD');
        return oldest.length > 0 && oldest;
      }, patience);
      expect(deadLetter).toMatchObject({ stage: 'filter', task: 'Warm', attempts: 0 });
      expect((await deadLetters()).byCode).toEqual({ INVALID_PAYLOAD: 1 });
      const shown = await command(under.cloud, ['dlq', 'Warm', '--show', deadLetter!.id]);
      expect(shown.answer).toMatch(/ERROR_CODE +INVALID_PAYLOAD[\s\S]*Payload \(text\)\n\{"n":$/);

      const dry = await outflow<RedriveCounts>('redrive', 'Warm', '--dry-run');
      expect(dry.answer.redriven).toEqual({ INVALID_PAYLOAD: 1 });
      expect((await deadLetters()).oldest[0]!.messageId).toBe(deadLetter!.messageId);

      const { answer, failed } = await outflow<RedriveCounts>('redrive', 'Warm', '--all');
      expect({ failed, redriven: answer.redriven }).toEqual({ failed: false, redriven: { INVALID_PAYLOAD: 1 } });
      // The payload is still invalid: the same message is dead-lettered again, with new attempts.
      const again = await vi.waitUntil(async () => {
        return (await deadLetters()).oldest.find(
          ({ id, messageId }) => id === deadLetter!.id && messageId !== deadLetter!.messageId,
        );
      }, patience);
      expect(again).toMatchObject({ code: 'INVALID_PAYLOAD', attempts: 0 });
      expect(again.firstSeen).toBeGreaterThan(deadLetter!.firstSeen);
      await under.purgeDeadLetters();
    });

    const sendDeadLetters = async (code: string, count: number) => {
      const numbers = Array.from({ length: count }, () => next++);
      for (const n of numbers) {
        const body = envelope(JSON.stringify({ n, temp: 30 }), { id: `dead-letter-${n}` });
        await under.sendDeadLetter(JSON.stringify(body), { ERROR_CODE: code, MESSAGE_ID: body.id, TASK: 'Warm' });
      }
      return numbers;
    };

    it('of one code are redriven and delivered, the others left', async () => {
      const [wanted, others] = [await sendDeadLetters('RETRIES_EXHAUSTED', 12), await sendDeadLetters('REJECTED', 3)];
      const { answer } = await outflow<RedriveCounts>('redrive', 'Warm', '--filter', 'RETRIES_EXHAUSTED');
      expect(answer).toMatchObject({ redriven: { RETRIES_EXHAUSTED: 12 }, skipped: { REJECTED: 3 }, failed: {} });
      await arrived(wanted);
      const delivered = new Set(await under.delivered());
      expect(others.filter((n) => delivered.has(n))).toEqual([]);
      expect((await deadLetters()).byCode).toEqual({ REJECTED: 3 });
      await under.purgeDeadLetters();
    });

    it('are lost to none when they are redriven twice at once', async () => {
      const numbers = await sendDeadLetters('EXPIRED', 25);
      await Promise.all([outflow('redrive', 'Warm', '--all'), outflow('redrive', 'Warm', '--all')]);
      await arrived(numbers);
      expect((await deadLetters()).byCode).toEqual({});
    });
  });
}

/** Runs a command over a cloud, with a terminal that collects its output. */
export async function command(
  cloud: Cloud,
  words: readonly string[],
  {
    isInteractive = false,
    confirm = async (_: string) => true,
    clock,
  }: Partial<Pick<Terminal, 'isInteractive' | 'confirm'>> & { readonly clock?: WaitClock } = {},
): Promise<{ answer: string; failed: boolean }> {
  const printed: string[] = [];
  let failed = false;
  const terminal: Terminal = {
    isInteractive,
    columns: Number.POSITIVE_INFINITY,
    isColoured: false,
    print: (text) => printed.push(text),
    note: (text) => printed.push(text),
    during: (_, work) => work,
    confirm,
    clear() {},
    fail: () => {
      failed = true;
    },
  };
  const program = new Command('outflow').exitOverride();
  const open = async () => ({ ...cloud, close() {} });
  const operator = { terminal, isInProcess: false, open, ...(clock && { clock }) };
  for (const one of operateCommands(operator)) program.addCommand(one.copyInheritedSettings(program));
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError)
      throw new Error(`outflow ${words.join(' ')}: ${error.message}`, { cause: error });
    throw error;
  }
  return { answer: printed.join('\n'), failed };
}
