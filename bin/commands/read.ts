import type { Command } from 'commander';
import type { ArrivedRecord } from '../../lambdas/core/control-requests.ts';
import { pickOne } from '../cloud/cloud.ts';
import { showPayload } from '../cloud/dead-letter.ts';
import { type Operator, onCloud, operatorCommand, printResult, type Scope, wholeNumber } from './operator.ts';
import { jsonText, printable } from './printable.ts';
import { time } from './table.ts';

interface ReadCommandOptions extends Scope {
  readonly target?: string;
  readonly minutes: number;
  readonly limit: number;
  readonly consumerGroup?: string;
  readonly wait: number;
}

/** `outflow read`: prints what arrived at a task's target. */
export function readCommand(operator: Operator): Command {
  return operatorCommand('read', operator)
    .description(
      "Print what arrived at a task's Kinesis stream, RocketMQ topic or MQTT topic: time, key, tag, properties, body",
    )
    .argument('<task>', 'name of the task, or path of its construct')
    .option('--target <name>', 'name of the stream or topic, if messages name it (default: the only one of the task)')
    .option('--minutes <count>', 'records of the last minutes', wholeNumber(1, 525_600), 60)
    .option('--limit <count>', 'largest number of records', wholeNumber(1, 10_000), 100)
    .option(
      '--consumer-group <name>',
      'of RocketMQ, to read by; by proxies an existing group that no consumer uses, as it consumes what is read (default: outflow-read)',
    )
    .option(
      '--wait <seconds>',
      'of an MQTT broker, which keeps no messages: wait for them this long',
      wholeNumber(1, 20),
      10,
    )
    .action((name: string, options: ReadCommandOptions) =>
      onCloud(operator, options, async (cloud, terminal) => {
        const task = pickOne(await terminal.during(() => 'Reading the stacks …', cloud.tasks()), name);
        const since = Date.now() - options.minutes * 60_000;
        const { limit, consumerGroup, target, wait } = options;
        const reading = task.arrived({ since, limit, consumerGroup, waitMs: wait * 1_000 }, target);
        const records = await terminal.during(() => `Reading the target of ${task.name} …`, reading);
        const shown = records.map(({ body, ...rest }) => ({ ...rest, body: showPayload(body) }));
        printResult(terminal, options, shown, () =>
          records.length === 0
            ? `No records in the last ${options.minutes} minutes.`
            : records.map(recordText).join('\n'),
        );
      }),
    );
}

/** A record as text for a terminal. */
export function recordText({ target, key, tag, properties, time: at, position, body }: ArrivedRecord): string {
  const [[form, value]] = Object.entries(showPayload(body)) as [[string, unknown]];
  const text = form === 'json' ? jsonText(value).replace(/\n */g, ' ') : printable(value as string);
  const head = [time(at), printable(target)];
  if (key !== undefined) head.push(`key ${printable(key)}`);
  if (tag !== undefined) head.push(`tag ${printable(tag)}`);
  const lines = [[...head, printable(position)].join('  ')];
  for (const [name, given] of Object.entries(properties ?? {})) lines.push(`  ${printable(name)}: ${printable(given)}`);
  return [...lines, `  ${form === 'json' ? '' : `(${form}) `}${text}`].join('\n');
}
