import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { SampleMessage } from '../../lambdas/testing/sample.ts';
import { type TryResult, tryTask } from '../../lambdas/testing/try-task.ts';
import { findTask } from '../../localstack/one-process/find-task.ts';
import { assemblyOptions, type GivenAssemblyOptions, withAssemblyOptions } from './assembly-options.ts';
import { jsonText, printable } from './printable.ts';
import { synthesize } from './synthesize.ts';

interface TryCommandOptions extends GivenAssemblyOptions {
  readonly topic?: string;
  readonly payload?: string;
  readonly payloadFile?: string;
  readonly message?: string;
  readonly clientId?: string;
  readonly userProperty: [string, string][];
  readonly assembly?: string;
  readonly spec?: string;
  readonly json?: boolean;
  readonly expect: TryResult['outcome'];
}

/** `outflow try`: takes a sample message through every stage of a task, and sends nothing. */
export function tryCommand(): Command {
  return withAssemblyOptions(new Command('try'))
    .description('Take a sample message through every stage of a task, and send nothing')
    .argument('[task]', 'name of the task (default: the only one)')
    .option('-t, --topic <topic>', 'topic of the message')
    .option('-m, --payload <text>', 'payload')
    .option('-f, --payload-file <file>', 'payload, from a file; - for standard input')
    .option('-i, --client-id <id>', 'client id of the publisher')
    .option('-D, --user-property <key=value>', 'MQTT 5 user property; repeatable', asPair, [])
    .option(
      '--message <file>',
      'the whole message as JSON (topic, payload, clientid, userProperties …), or the body of a dead letter',
    )
    .option('--assembly <folder>', 'a synthesized cloud assembly (default: the app in this folder is synthesized)')
    .option('--spec <file>', "the task's spec, in place of an assembly")
    .addOption(
      new Option('--expect <outcome>', 'exit with 1 for any other outcome')
        .choices(['delivered', 'filtered', 'deadLettered', 'notSelected'])
        .default('delivered'),
    )
    .option('--json', 'print the result as JSON')
    .action(async (task: string | undefined, options: TryCommandOptions) => {
      const { spec, env } = await findSpec(task, options);
      const result = await tryTask(spec, readMessage(options), { env });
      console.log(options.json ? jsonText(result) : asText(result));
      if (result.outcome !== options.expect) {
        if (!options.json) console.error(`Expected ${options.expect}.`);
        process.exitCode = 1;
      }
    });
}

async function findSpec(
  task: string | undefined,
  options: TryCommandOptions,
): Promise<{ spec: unknown; env: Record<string, string> }> {
  if (options.spec !== undefined) return { spec: JSON.parse(readFileSync(options.spec, 'utf8')), env: {} };
  return findTask(options.assembly ?? (await synthesize(process.cwd())), task, assemblyOptions(options));
}

function readMessage(options: TryCommandOptions): SampleMessage {
  const { topic, payload, payloadFile, clientId, userProperty } = options;
  const given = options.message === undefined ? {} : JSON.parse(readFileSync(options.message, 'utf8'));
  const isBuffered = Object.hasOwn(Object(given), 'v') || Object.hasOwn(Object(given), 'base64OriginalPayload');
  const others = [topic, payload, payloadFile, clientId, ...userProperty];
  if (isBuffered && others.some((other) => other !== undefined))
    throw new Error(
      `--message: ${options.message} is the whole body of a buffered message or dead letter; expected no -t, -m, -f, -i or -D`,
    );
  return {
    ...given,
    ...(topic !== undefined && { topic }),
    ...(payload !== undefined && { payload }),
    ...(payloadFile !== undefined && { payload: readFileSync(payloadFile === '-' ? 0 : payloadFile) }),
    ...(clientId !== undefined && { clientid: clientId }),
    ...(userProperty.length > 0 && { userProperties: userProperty }),
  };
}

function asText({ task, outcome, envelope, event, ruleOutput, requests = [], error }: TryResult): string {
  const block = (value: unknown) => jsonText(value).replaceAll('\n', '\n  ');
  const lines = [`Task ${task}`, `buffer holds\n  ${block(envelope)}`];
  if (outcome !== 'notSelected') {
    lines.push(
      `filter sees\n  ${event === undefined ? 'no event: the payload is not of the data format' : block(event)}`,
    );
    if (outcome !== 'filtered') lines.push(`templates see\n  ${block(ruleOutput)}`);
    for (const request of requests) lines.push(`sink would send\n  ${block(request)}`);
  }
  const why = error === undefined ? '' : `: ${error.code} at ${error.stage}: ${printable(error.message)}`;
  return [...lines, `Outcome: ${outcome}${why}`].join('\n\n');
}

function asPair(text: string, before: [string, string][]): [string, string][] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected key=value');
  return [...before, [text.slice(0, at), text.slice(at + 1)]];
}
