import type { Command } from 'commander';
import { type CloudTask, pickOne } from '../cloud/cloud.ts';
import { countByCode, isLetterOf, type Letter, readLetter, showPayload } from '../cloud/letter.ts';
import { scan } from '../cloud/letter-queue.ts';
import { answer, type Operator, onCloud, operatorCommand, type Where, whole } from './operator.ts';
import { jsonText, printable } from './printable.ts';
import { cut, table, time } from './table.ts';

interface DlqOptions extends Where {
  readonly code?: string;
  readonly show?: string;
  readonly oldest: number;
  readonly limit: number;
}

interface Reading {
  readonly letters: readonly Letter[];
  /** Letters of other tasks in the same queue. */
  readonly others: number;
  /** The reading ended before the queue did. */
  readonly mayHaveMore: boolean;
}

const TOPIC_CHARACTERS = 40;

/** `outflow dlq`: what is in a task's dead-letter queue, read without taking it. */
export function dlqCommand(operator: Operator): Command {
  return operatorCommand('dlq', operator)
    .description(
      "Show a task's dead letters: counts by code, and the oldest with their reasons; the letters stay where they are",
    )
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--code <code>', 'only letters of this code')
    .option('--show <message id>', 'one letter, decoded: envelope, payload, attributes')
    .option('--oldest <count>', 'letters in the table', whole(0), 10)
    .option('--limit <count>', 'read no more letters than that', whole(1), 1_000)
    .action((name: string, options: DlqOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
        let count = 0;
        const reading = await terminal.during(
          () => `Reading dead letters: ${count} …`,
          read(task, options, (read) => {
            count = read;
          }),
        );
        const { letters, mayHaveMore } = reading;
        if (options.show === undefined) {
          const oldest = [...letters].sort((a, b) => a.firstSeen - b.firstSeen).slice(0, options.oldest);
          const value = { task: task.name, read: letters.length, mayHaveMore, byCode: countByCode(letters), oldest };
          answer(terminal, options, value, () => lettersText(reading, oldest, options, terminal.columns));
          return;
        }
        const letter = letters.find(({ id, messageId }) => id === options.show || messageId === options.show);
        if (letter === undefined) {
          const more = mayHaveMore ? '; there may be more: a higher --limit reads further' : '';
          throw new Error(`no dead letter ${options.show} among the ${letters.length} read${more}`);
        }
        const payload = letter.envelope && showPayload(letter.envelope.payload);
        answer(terminal, options, { ...letter, payload }, () => letterText(letter));
      }),
    );
}

async function read(
  task: CloudTask,
  { code, show, limit }: DlqOptions,
  onCount: (count: number) => void,
): Promise<Reading> {
  const letters: Letter[] = [];
  let count = 0;
  let others = 0;
  let isCutShort = false;
  const onRepeats = () => {
    isCutShort = true;
  };
  for await (const batch of scan(await task.letters(), { limit, onRepeats })) {
    for (const stored of batch.letters) {
      const letter = readLetter(stored);
      count++;
      if (!isLetterOf(task, letter)) others++;
      else if (code === undefined || letter.code === code) letters.push(letter);
    }
    onCount(count);
    if (show !== undefined && letters.some(({ id, messageId }) => id === show || messageId === show)) break;
  }
  return { letters, others, mayHaveMore: isCutShort || count >= limit };
}

function lettersText(
  { letters, others, mayHaveMore }: Reading,
  oldest: readonly Letter[],
  { limit }: DlqOptions,
  columns: number,
): string {
  const lines = [];
  if (letters.length === 0) lines.push('No dead letters.');
  for (const [code, count] of Object.entries(countByCode(letters)))
    lines.push(`${String(count).padStart(6)}  ${printable(code)}`);
  if (mayHaveMore) lines.push(`There may be more: at most ${limit} are read (--limit).`);
  if (others > 0) lines.push(`${others} letters in the same queue are another task's.`);
  if (oldest.length > 0) {
    const rows = oldest.map(({ code, attempts, firstSeen, envelope, id, error }) => [
      code,
      String(attempts),
      time(firstSeen),
      cut(envelope?.topic ?? '?', TOPIC_CHARACTERS),
      id,
      error,
    ]);
    lines.push('', table([['CODE', 'RETRIES', 'FIRST SEEN (UTC)', 'TOPIC', 'MESSAGE ID', 'ERROR'], ...rows], columns));
  }
  return lines.join('\n');
}

/** One letter for people. */
export function letterText({ messageId, attributes, envelope, body, code, error }: Letter): string {
  const lines = Object.entries(attributes).map(([name, value]) => `${printable(name).padEnd(26)}${printable(value)}`);
  if (attributes['ERROR_CODE'] === undefined) lines.push(`${printable(code)}: ${printable(error)}`);
  lines.push(`${'SQS message'.padEnd(26)}${printable(messageId)}`);
  if (envelope === undefined) return [...lines, '', 'The body is no envelope:', printable(body)].join('\n');
  const { payload, ...rest } = envelope;
  const [[form, value]] = Object.entries(showPayload(payload)) as [[string, unknown]];
  const shown = form === 'json' ? jsonText(value) : printable(value as string);
  return [...lines, '', 'Envelope', jsonText(rest), '', `Payload (${form})`, shown].join('\n');
}
