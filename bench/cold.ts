import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { median, table } from './table.ts';

/** What a worker's bundle weighs and how long its import takes, beside a bare handler and the client of its sink alone. */
const PROCESSES = 10;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const KINESIS = { type: 'kinesis', stream: 'telemetry', partitionKey: '${clientid}', payload: '${payload}' };
const MQTT = { type: 'mqtt', server: 'mqtts://broker.invalid', topic: 'pub/${topic}', payload: '${payload}' };
const bundles = [
  { name: 'bare handler', entry: 'bench/cold/bare.ts', directory: '.cache/bench/bare' },
  { name: '@aws-sdk/client-kinesis alone', entry: 'bench/cold/client.ts', directory: '.cache/bench/client' },
  {
    name: 'worker with the Kinesis sink',
    entry: 'lambdas/deliver/kinesis/handler.ts',
    directory: '.cache/bench/kinesis',
    client: '@aws-sdk/client-kinesis alone',
  },
  { name: 'MQTT.js alone', entry: 'bench/cold/mqtt-js.ts', directory: '.cache/bench/mqtt-js' },
  { name: 'MQTT client alone', entry: 'bench/cold/mqtt-client.ts', directory: '.cache/bench/mqtt-client' },
  {
    name: 'worker with the MQTT sink',
    entry: 'lambdas/deliver/mqtt/handler.ts',
    directory: '.cache/bench/mqtt',
    client: 'MQTT.js alone',
    sink: MQTT,
  },
].map(({ sink = KINESIS, ...bundle }) => ({
  ...bundle,
  sink,
  directory: join(root, bundle.directory),
  path: bundle.directory,
}));

const specOf = (sink: object) => ({
  v: 1,
  task: 'Bench',
  source: { type: 'iot-core', filters: ['plant/+/devices/+/telemetry'] },
  filter: { data: { body: { temp: [{ numeric: ['>', 20] }] } } },
  sink,
});
const env = {
  ...process.env,
  // Never called.
  DEAD_LETTER_QUEUE_URL: 'https://sqs.invalid/1/dead',
  CONTROL_QUEUE_URL: 'https://sqs.invalid/1/control',
  STACK_NAME: 'Bench',
  RULE_ARNS: 'arn:aws:iot:us-east-1:123456789012:rule/Bench',
  TARGET_ARN: 'arn:aws:kinesis:us-east-1:123456789012:stream/*',
  NODE_OPTIONS: '',
  AWS_REGION: 'us-east-1',
};

for (const { entry, path, directory, sink } of bundles) {
  execFileSync(process.execPath, ['scripts/bundle.mjs', entry, path], { cwd: root, stdio: 'inherit' });
  writeFileSync(join(directory, 'spec.json'), JSON.stringify(specOf(sink)));
}

interface Output {
  readonly imports: readonly { readonly path: string; readonly kind: string }[];
}

/** The files of a bundle: all, and those that importing its entry loads. */
function filesOf(path: string): { all: string[]; loaded: string[] } {
  const { outputs } = JSON.parse(readFileSync(join(root, `${path}.meta.json`), 'utf8')) as {
    outputs: Record<string, Output>;
  };
  const loaded = new Set([`${path}/index.mjs`]);
  for (const file of loaded) {
    for (const { path: imported, kind } of outputs[file]!.imports)
      if (kind === 'import-statement' && imported in outputs) loaded.add(imported);
  }
  return { all: Object.keys(outputs), loaded: [...loaded] };
}

function sizes(files: readonly string[]): string {
  const contents = files.map((file) => readFileSync(join(root, file)));
  const sum = (of: (content: Buffer) => number) => contents.reduce((total, content) => total + of(content), 0);
  return `${kib(sum((content) => content.length))} / ${kib(sum((content) => gzipSync(content).length))}`;
}

const kib = (bytes: number) => (bytes / 1024).toFixed(1);

/** Milliseconds of the import alone, and of the whole process. */
function importOnce(directory: string): { import: number; process: number } {
  const url = JSON.stringify(pathToFileURL(join(directory, 'index.mjs')));
  const code = `const t=performance.now();import(${url}).then(()=>console.log(performance.now()-t))`;
  const started = performance.now();
  const printed = execFileSync(process.execPath, ['-e', code], { env, encoding: 'utf8' });
  return { import: Number(printed), process: performance.now() - started };
}

const runs = bundles.map(() => [] as ReturnType<typeof importOnce>[]);
for (let n = -1; n < PROCESSES; n++) {
  for (const [i, { directory }] of bundles.entries()) {
    const run = importOnce(directory);
    if (n >= 0) runs[i]!.push(run); // the first only warms the file cache
  }
}

const times = runs.map((of) => ({
  import: median(of.map((run) => run.import)),
  process: median(of.map((run) => run.process)),
}));
const [bare] = times as [(typeof times)[0]];
console.log(`\nCold start, median of ${PROCESSES} fresh processes; sizes in KiB, minified / gzip\n`);
console.log(
  table(
    ['bundle', 'all files', 'loaded at the start', 'import, ms', '÷ client', 'process, ms', '÷ bare'],
    bundles.map(({ name, path, client }, i) => {
      const { all, loaded } = filesOf(path);
      const time = times[i]!;
      return [
        name,
        sizes(all),
        sizes(loaded),
        time.import.toFixed(1),
        client === undefined
          ? ''
          : (time.import / times[bundles.findIndex((one) => one.name === client)]!.import).toFixed(2),
        time.process.toFixed(1),
        (time.process / bare.process).toFixed(2),
      ];
    }),
  ),
);
