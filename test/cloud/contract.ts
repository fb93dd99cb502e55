import { Command, CommanderError } from 'commander';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Cloud, TaskReport } from '../../bin/cloud/cloud.ts';
import type { Letter } from '../../bin/cloud/letter.ts';
import type { RedriveCounts } from '../../bin/cloud/redrive.ts';
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
  /** Puts a dead letter into the task's queue for them. */
  sendLetter(body: string, attributes: Readonly<Record<string, string>>): Promise<void>;
  /** Removes all letters. */
  purgeLetters(): Promise<void>;
}

export interface ContractOptions {
  readonly patience: { readonly timeout: number; readonly interval: number };
  /** Messages that were tried while the sink was away come after up to a minute: wait for those too. */
  readonly isPatient: boolean;
}

/** What an operator's commands promise of tasks, wherever those run. */
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
  const letters = async (...options: string[]) => {
    const { answer } = await outflow<{ byCode: Record<string, number>; oldest: Letter[] }>('dlq', 'Warm', ...options);
    return answer;
  };

  it('lists tasks, and says that they run and reach their sinks', async () => {
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
    await expect(command(under.cloud, ['status', 'Cold'])).rejects.toThrow(/no task Cold; there: .*Warm/);
  });

  it('pauses: messages pile up in the queue, and are delivered once it is enabled', async () => {
    expect(await outflow('pause', 'Warm', '--yes')).toMatchObject({ failed: false, answer: { status: 'Paused' } });
    const numbers: number[] = [];
    // A poll that was under way when the mapping was disabled may still take the first.
    await vi.waitUntil(async () => {
      numbers.push(...(await publishNumbers(1)));
      return ((await status()).waiting ?? 0) >= 5;
    }, patience);
    expect(await under.delivered()).not.toContain(numbers.at(-1));
    const enabled = await outflow<TaskReport>('enable', 'Warm', '--yes');
    expect(enabled).toMatchObject({ failed: false, answer: { status: 'Running', mappings: ['Enabled', 'Enabled'] } });
    await arrived(numbers);
  });

  it('tells why a task stopped that cannot reach its sink, keeps its backlog, and goes on by itself', async () => {
    await under.deleteStream();
    expect((await outflow('test-connectivity', 'Warm')).failed).toBe(true);
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
    expect((await letters()).byCode).toEqual({});

    await under.createStream();
    await vi.waitUntil(async () => (await status()).status === 'Running', patience);
    await arrived(isPatient ? [...tried, ...backlog] : backlog);
  });

  describe('dead letters', () => {
    it('are shown with their reasons, and stay; redriven, a letter goes through its task again', async () => {
      await under.publish('{"n":');
      const [letter] = await vi.waitUntil(async () => {
        const { oldest } = await letters('--code', 'INVALID_PAYLOAD');
        return oldest.length > 0 && oldest;
      }, patience);
      expect(letter).toMatchObject({ stage: 'filter', task: 'Warm', attempts: 0 });
      expect((await letters()).byCode).toEqual({ INVALID_PAYLOAD: 1 });
      const shown = await command(under.cloud, ['dlq', 'Warm', '--show', letter!.id]);
      expect(shown.answer).toMatch(/ERROR_CODE +INVALID_PAYLOAD[\s\S]*Payload \(text\)\n\{"n":$/);

      const dry = await outflow<RedriveCounts>('redrive', 'Warm', '--dry-run');
      expect(dry.answer.redriven).toEqual({ INVALID_PAYLOAD: 1 });
      expect((await letters()).oldest[0]!.messageId).toBe(letter!.messageId);

      const { answer, failed } = await outflow<RedriveCounts>('redrive', 'Warm', '--all');
      expect({ failed, redriven: answer.redriven }).toEqual({ failed: false, redriven: { INVALID_PAYLOAD: 1 } });
      // It has not become any better: a new letter of the same message, which started afresh.
      const again = await vi.waitUntil(async () => {
        return (await letters()).oldest.find(
          ({ id, messageId }) => id === letter!.id && messageId !== letter!.messageId,
        );
      }, patience);
      expect(again).toMatchObject({ code: 'INVALID_PAYLOAD', attempts: 0 });
      expect(again.firstSeen).toBeGreaterThan(letter!.firstSeen);
      await under.purgeLetters();
    });

    const sendLetters = async (code: string, count: number) => {
      const numbers = Array.from({ length: count }, () => next++);
      for (const n of numbers) {
        const body = envelope(JSON.stringify({ n, temp: 30 }), { id: `letter-${n}` });
        await under.sendLetter(JSON.stringify(body), { ERROR_CODE: code, MESSAGE_ID: body.id, TASK: 'Warm' });
      }
      return numbers;
    };

    it('of one code are redriven and delivered, the others left', async () => {
      const [wanted, others] = [await sendLetters('RETRIES_EXHAUSTED', 12), await sendLetters('REJECTED', 3)];
      const { answer } = await outflow<RedriveCounts>('redrive', 'Warm', '--filter', 'RETRIES_EXHAUSTED');
      expect(answer).toMatchObject({ redriven: { RETRIES_EXHAUSTED: 12 }, skipped: { REJECTED: 3 }, failed: {} });
      await arrived(wanted);
      const delivered = new Set(await under.delivered());
      expect(others.filter((n) => delivered.has(n))).toEqual([]);
      expect((await letters()).byCode).toEqual({ REJECTED: 3 });
      await under.purgeLetters();
    });

    it('are lost to none when they are redriven twice at once', async () => {
      const numbers = await sendLetters('EXPIRED', 25);
      await Promise.all([outflow('redrive', 'Warm', '--all'), outflow('redrive', 'Warm', '--all')]);
      await arrived(numbers);
      expect((await letters()).byCode).toEqual({});
    });
  });
}

/** Carries out a command of the operator's over a cloud, as the terminal would. */
export async function command(
  cloud: Cloud,
  words: readonly string[],
  { isInteractive = false, confirm = async (_: string) => true } = {},
): Promise<{ answer: string; failed: boolean }> {
  const printed: string[] = [];
  let failed = false;
  const terminal: Terminal = {
    isInteractive,
    columns: Number.POSITIVE_INFINITY,
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
  const operator = { terminal, isHere: false, open: async () => ({ ...cloud, close() {} }) };
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
