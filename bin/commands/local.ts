import { Command, InvalidArgumentError } from 'commander';
import { readAssembly } from '../../localstack/one-process/assembly.ts';
import { type Run, run } from '../../localstack/one-process/run.ts';
import { localCloud } from '../cloud/local.ts';
import { assemblyOptions, type GivenAssemblyOptions, withAssemblyOptions } from './assembly-options.ts';
import { readLines } from './lines.ts';
import { printable } from './printable.ts';
import { pendingText, undeliveredMessages, untilInterrupted, watchCounters } from './screen.ts';
import { synthesize } from './synthesize.ts';
import { showsColours, type Terminal } from './terminal.ts';

interface LocalOptions extends GivenAssemblyOptions {
  readonly port?: number;
  readonly kinesisEndpoint?: string;
}

/** `outflow local`: runs the tasks of a CDK app in one process, without AWS. */
export function localCommand(): Command {
  return withAssemblyOptions(new Command('local'))
    .description(
      'Run the tasks of a CDK app in this process: an MQTT broker and the rules, queues and workers that would be deployed',
    )
    .argument(
      '[assembly]',
      'a synthesized cloud assembly, such as cdk.out; without it, the app in this folder is synthesized',
    )
    .option('-p, --port <port>', 'MQTT port on 127.0.0.1 (default: a free one)', asPort)
    .option('--kinesis-endpoint <url>', 'deliver to another Kinesis API, such as LocalStack (default: an embedded one)')
    .action(async (given: string | undefined, options: LocalOptions) => {
      const print = (line: string) => console.log(line);
      const event = (text: string) => print(`  ${new Date().toISOString().slice(11, 19)}  ${printable(text)}`);
      const assembly = given ?? (await synthesizeHere(print));
      const stacks = readAssembly(assembly, assemblyOptions(options));
      const running = await run(stacks, {
        port: options.port,
        kinesisEndpointUrl: options.kinesisEndpoint,
        onBatch: ({ name }, { reasons }) => {
          for (const reason of reasons) event(`${name}: not delivered yet: ${reason}`);
          counters.changed();
        },
        onReceipts: ({ name }, receipts) => {
          for (const { id, receipt } of receipts) event(`${name}: delivered ${id} to ${receipt}`);
        },
        onError: ({ message, cause }) => event(`${message}${cause === undefined ? '' : `: ${String(cause)}`}`),
        onDisconnect: (clientId, reason) => event(`client ${clientId ?? 'without an id'} disconnected: ${reason}`),
      });
      const counters = watchCounters(running.tasks, print);
      print(`IoT Core   ${running.broker.url}  (Publish by HTTP: ${running.dataPlane.endpointUrl})`);
      print(`Kinesis    ${running.kinesis.endpointUrl}  ${running.streams.join(', ')}`);
      for (const { name, filters } of running.tasks) print(`Task       ${name} from ${filters.join(', ')}`);
      for (const note of new Set(stacks.flatMap(({ notes }) => [...notes]))) print(`Note       ${printable(note)}`);
      const cloud = localCloud(running, stacks, event);
      void testSinks(running, event);
      const terminal = lineTerminal(print);
      const lines = readLines({ terminal, isInProcess: true, open: async () => cloud }, process.stdin);
      print(
        'Commands   type list, status, pause, enable, skip, test-connectivity, read, dlq or redrive (`help` for details)',
      );
      const interrupted = untilInterrupted();
      print('Ctrl-C finishes the running batches and stops.');
      await interrupted;
      lines.close();
      print('Finishing the running batches, for 60 seconds at most. Ctrl-C again ends the process at once.');
      const isSettled = await waiting(running, print);
      counters.stop();
      const undelivered = undeliveredMessages(running.tasks);
      await running.close();
      if (!isSettled) print(`Not finished: ${pendingText(running.tasks)}.`);
      if (undelivered > 0) {
        print(`Undelivered messages, lost with this process: ${undelivered}.`);
        process.exitCode = 1;
      }
      // A connection that hangs would keep the process.
      if (!isSettled) process.exit(1);
    });
}

/** Reports each sink that cannot be used, such as a stream that nobody has created. */
async function testSinks({ tasks }: Run, event: (text: string) => void): Promise<void> {
  for (const { name, control } of tasks) {
    const sink = await control?.testConnectivity().catch(({ message }: Error) => ({ ok: false, detail: message }));
    if (sink?.ok === false) event(`${name}: its sink cannot be used yet: ${sink.detail}`);
  }
}

/** Settles a run, and prints what it waits for. */
async function waiting(running: Run, print: (line: string) => void): Promise<boolean> {
  const timer = setInterval(() => print(`  waits for ${pendingText(running.tasks)}`), SETTLE_REPORT_MS);
  try {
    return await running.settle();
  } finally {
    clearInterval(timer);
  }
}

const PROGRESS_MS = 2_000;
const SETTLE_REPORT_MS = 3_000;

/** The terminal for typed lines. A failed command does not set the exit code, and commands need no confirmation. */
function lineTerminal(print: (text: string) => void): Terminal {
  return {
    isInteractive: false,
    columns: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
    isColoured: showsColours(process.stdout),
    print,
    note: print,
    async during(describe, work) {
      const timer = setInterval(() => print(`  ${describe()}`), PROGRESS_MS);
      try {
        return await work;
      } finally {
        clearInterval(timer);
      }
    },
    confirm: async () => true,
    clear() {},
    fail() {},
  };
}

async function synthesizeHere(print: (line: string) => void): Promise<string> {
  const started = Date.now();
  print('Synthesizing the app in this folder …');
  const assembly = await synthesize(process.cwd());
  print(`  done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return assembly;
}

function asPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('expected 0 to 65535');
  return port;
}
