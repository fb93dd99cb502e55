import { type Command, InvalidArgumentError } from 'commander';
import { type CloudTask, pickOne } from '../cloud/cloud.ts';
import { belongsTo, CODES, countByCode, type DeadLetter, readDeadLetter, showPayload } from '../cloud/dead-letter.ts';
import { scan } from '../cloud/dead-letter-queue.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope, wholeNumber } from './operator.ts';
import { jsonText, printable } from './printable.ts';
import { cut, table, time } from './table.ts';

interface DlqOptions extends Scope {
  readonly code?: string;
  readonly show?: string;
  readonly oldest: number;
  readonly limit: number;
}

interface Reading {
  readonly deadLetters: readonly DeadLetter[];
  /** Number of dead letters of other tasks in the same queue. */
  readonly others: number;
  /** The queue may hold dead letters that were not read. */
  readonly mayHaveMore: boolean;
}

const TOPIC_CHARACTERS = 40;

/** `outflow dlq`: shows the dead letters of a task, and leaves them in their queue. */
export function dlqCommand(operator: Operator): Command {
  return operatorCommand('dlq', operator)
    .description(
      "Show a task's dead letters: counts by code, and the oldest with their reasons; they stay in the queue",
    )
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--code <code>', 'only dead letters of this code', deadLetterCode)
    .option('--show <message id>', 'show one dead letter, decoded: envelope, payload, attributes')
    .option('--oldest <count>', 'number of dead letters in the table', wholeNumber(0), 10)
    .option('--limit <count>', 'largest number of dead letters to read', wholeNumber(1), 1_000)
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
        const { deadLetters, mayHaveMore } = reading;
        if (options.show === undefined) {
          const oldest = [...deadLetters].sort((a, b) => a.firstSeen - b.firstSeen).slice(0, options.oldest);
          const byCode = countByCode(deadLetters);
          const value = { task: task.name, read: deadLetters.length, mayHaveMore, byCode, oldest };
          printResult(terminal, options, value, () => listText(reading, oldest, options, terminal.columns));
          return;
        }
        const shown = deadLetters.find(({ id, messageId }) => id === options.show || messageId === options.show);
        if (shown === undefined) {
          const more = mayHaveMore ? '; the queue may hold more: raise --limit' : '';
          throw new Error(`no dead letter ${options.show} among the ${deadLetters.length} read${more}`);
        }
        const payload = shown.envelope && showPayload(shown.envelope.payload);
        printResult(terminal, options, { ...shown, payload }, () => deadLetterText(shown));
      }),
    );
}

/** Parses a code of dead letters. */
export function deadLetterCode(text: string): string {
  if (CODES.includes(text)) return text;
  throw new InvalidArgumentError(`expected one of ${CODES.join(', ')}`);
}

async function read(
  task: CloudTask,
  { code, show, limit }: DlqOptions,
  onCount: (count: number) => void,
): Promise<Reading> {
  const deadLetters: DeadLetter[] = [];
  let count = 0;
  let others = 0;
  let isCutShort = false;
  const onRepeats = () => {
    isCutShort = true;
  };
  for await (const batch of scan(await task.deadLetterQueue(), { limit, onRepeats })) {
    for (const received of batch.deadLetters) {
      const deadLetter = readDeadLetter(received);
      count++;
      if (!belongsTo(task, deadLetter)) others++;
      else if (code === undefined || deadLetter.code === code) deadLetters.push(deadLetter);
    }
    onCount(count);
    if (show !== undefined && deadLetters.some(({ id, messageId }) => id === show || messageId === show)) break;
  }
  return { deadLetters, others, mayHaveMore: isCutShort || count >= limit };
}

function listText(
  { deadLetters, others, mayHaveMore }: Reading,
  oldest: readonly DeadLetter[],
  { limit }: DlqOptions,
  columns: number,
): string {
  const lines = [];
  if (deadLetters.length === 0) lines.push('No dead letters.');
  for (const [code, count] of Object.entries(countByCode(deadLetters)))
    lines.push(`${String(count).padStart(6)}  ${printable(code)}`);
  if (mayHaveMore) lines.push(`There may be more: the limit is ${limit} (--limit).`);
  if (others > 0) lines.push(`${others} dead letters in the same queue belong to other tasks.`);
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

/** One dead letter as text for a terminal. */
export function deadLetterText({ messageId, attributes, envelope, body, code, error }: DeadLetter): string {
  const lines = Object.entries(attributes).map(([name, value]) => `${printable(name).padEnd(26)}${printable(value)}`);
  if (attributes['ERROR_CODE'] === undefined) lines.push(`${printable(code)}: ${printable(error)}`);
  lines.push(`${'SQS message'.padEnd(26)}${printable(messageId)}`);
  if (envelope === undefined) return [...lines, '', 'The body is not an envelope:', printable(body)].join('\n');
  const { payload, ...rest } = envelope;
  const [[form, value]] = Object.entries(showPayload(payload)) as [[string, unknown]];
  const shown = form === 'json' ? jsonText(value) : printable(value as string);
  return [...lines, '', 'Envelope', jsonText(rest), '', `Payload (${form})`, shown].join('\n');
}
