import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SYNTH, WHOLE } from './support/projects.ts';

interface Import {
  readonly from: string;
  /** A path in the project, or a package. */
  readonly to: string;
}

// Imports of types count as well: a cycle of types is two files that cannot be understood apart.
const IMPORT = /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g;

const imports: Import[] = ['bin', 'lib', 'lambdas', 'localstack', 'bench', 'scripts', 'test'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.m?ts$|\.mjs$/.test(name))
    .flatMap((name) => {
      const from = join(folder, name);
      return [...readFileSync(from, 'utf8').matchAll(IMPORT)].map((match) => {
        const name = (match[1] ?? match[2] ?? match[3])!;
        return { from, to: name.startsWith('.') ? normalize(join(dirname(from), name)) : name };
      });
    }),
);

const CDK = /^(aws-cdk-lib|constructs|cdk-nag)(\/|$)/;
const CLIENT = /^(@aws-sdk\/|@smithy\/|mqtt|rocketmq|kinesalite)/;
const OUTSIDE_WORLD = /^node:(fs|net|tls|http|https|child_process|timers|worker_threads|os|dgram)/;

const found = (from: RegExp, to: RegExp) =>
  imports.filter((one) => from.test(one.from) && to.test(one.to)).map((one) => `${one.from} → ${one.to}`);

/** What each folder of `lambdas/` may import, beside itself. Code outside the table is in no folder and may not exist. */
const LAMBDAS: Readonly<Record<string, RegExp>> = {
  core: /^$/,
  net: /^lambdas\/core\//,
  step: /^lambdas\/core\//,
  buffer: /^lambdas\/(core\/|worker\/message\.ts$)/,
  deliver: /^lambdas\/(core|net)\//,
  source: /^lambdas\/(core|buffer|net)\//,
  control: /^lambdas\/core\//,
  worker: /^lambdas\/(core|step|buffer)\/|^lambdas\/deliver\/sink\.ts$/,
  testing: /^lambdas\//,
};

const graph = new Map<string, string[]>();
for (const { from, to } of imports) graph.set(from, [...(graph.get(from) ?? []), to]);

/** Files that import each other, directly or through others. */
function cycles(): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string) => {
    const at = path.indexOf(file);
    if (at !== -1) found.push([...path.slice(at), file].join(' → '));
    if (at !== -1 || done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return found;
}

describe('the arrows of the tree', () => {
  it('form no cycle', () => expect(cycles()).toEqual([]));
  it.each(Object.entries(LAMBDAS))('lambdas/%s imports what is below it', (folder, allowed) => {
    const outward = imports.filter(
      ({ from, to }) =>
        from.startsWith(`lambdas/${folder}/`) &&
        to.startsWith('lambdas/') &&
        !to.startsWith(`lambdas/${folder}/`) &&
        !allowed.test(to) &&
        // A sink's function is its definition and the worker's handler.
        !(/^lambdas\/deliver\/[a-z]+\/handler\.ts$/.test(from) && to === 'lambdas/worker/handler.ts'),
    );
    expect(outward.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });
  it('lambdas has no other folder, and no file outside one', () => {
    expect(readdirSync('lambdas').sort()).toEqual(Object.keys(LAMBDAS).sort());
  });
  it('the types that the worker shares import core alone', () => {
    expect(found(/^lambdas\/worker\/message\.ts$/, /^(?!lambdas\/core\/)/)).toEqual([]);
  });
  it('finds imports at all', () => expect(found(/^lib\//, CDK).length).toBeGreaterThan(10));
  it('lib declares: it knows core and the sinks’ options, and no client', () => {
    expect(found(/^lib\//, CLIENT)).toEqual([]);
    expect(found(/^lib\//, /^(bin|localstack)\//)).toEqual([]);
    expect(
      found(
        /^lib\//,
        /^lambdas\/(?!core\/|deliver\/[a-z-]+\/(config|render)\.ts$|net\/mqtt\/(options|server)\.ts$|source\/[a-z-]+\/config\.ts$)/,
      ),
    ).toEqual([]);
  });
  it('lambdas run: they know neither CDK nor what is above them', () => {
    expect(found(/^lambdas\//, CDK)).toEqual([]);
    expect(found(/^lambdas\//, /^(lib|bin|localstack)\//)).toEqual([]);
  });
  it('core is pure: no client, no file, no socket, and nothing outward', () => {
    expect(found(/^lambdas\/core\//, CLIENT)).toEqual([]);
    expect(found(/^lambdas\/core\//, OUTSIDE_WORLD)).toEqual([]);
    expect(found(/^lambdas\/core\//, /^lambdas\/(?!core\/)/)).toEqual([]);
  });
  it('a sink knows no other sink', () => {
    const sinkOf = (path: string) => /^lambdas\/deliver\/([a-z-]+)\//.exec(path)?.[1];
    const across = imports.filter(({ from, to }) => {
      const [own, other] = [sinkOf(from), sinkOf(to)];
      return own !== undefined && other !== undefined && own !== other;
    });
    expect(across).toEqual([]);
  });
  it('scripts are commands: only their tests import them', () => {
    expect(found(/^(?!scripts\/|test\/scripts\/)/, /^scripts\//)).toEqual([]);
  });
  it('nothing that is published imports servers for tests', () => {
    const forTests = /^localstack\/(servers|cache|setup-parts)(\/|\.)/;
    const published = /^(bin|lib|lambdas|localstack\/(deployed|docker|docker-free|iot-core|one-process))\//;
    expect(found(published, forTests)).toEqual([]);
  });
  it('the local cloud never declares', () => {
    expect(found(/^localstack\//, CDK)).toEqual([]);
    expect(found(/^localstack\//, /^(lib|bin)\//)).toEqual([]);
  });
  it('handlers import modules, neither the core barrel nor the table of sinks', () => {
    expect(found(/^lambdas\/(?!testing\/|deliver\/schema\.ts)/, /^lambdas\/(core\/index|deliver\/all)\.ts$/)).toEqual(
      [],
    );
  });
});

/** The files and packages that a file imports, directly or through others. */
function reach(file: string): Set<string> {
  const reached = new Set([file]);
  for (const from of reached) for (const to of graph.get(from) ?? []) reached.add(to);
  return reached;
}

it('tests that load aws-cdk-lib are in the project synth', () => {
  const isIn = (paths: readonly string[], file: string) => paths.some((path) => file.startsWith(path));
  const tests = [...new Set(imports.map(({ from }) => from))].filter((file) => file.endsWith('.test.ts'));
  const unit = tests.filter((file) => !isIn([...SYNTH, ...WHOLE], file));
  expect(unit.length).toBeGreaterThan(50);
  expect(unit.filter((file) => [...reach(file)].some((name) => CDK.test(name)))).toEqual([]);
});

interface Metafile {
  readonly outputs: Record<
    string,
    { inputs: Record<string, unknown>; imports: { path: string; kind: string }[]; entryPoint?: string }
  >;
}

// With the clients that a sink loads when it starts, and those that it loads when they are needed.
describe.each([
  ['kinesis', ['@aws-sdk/client-kinesis'], []],
  ['rocketmq', [], ['@aws-sdk/client-secrets-manager', 'rocketmq-client-nodejs']],
])('the bundle of %s', (sink, own, later) => {
  const { outputs } = JSON.parse(readFileSync(`dist/bundles/${sink}.meta.json`, 'utf8')) as Metafile;
  const packagesOf = (files: Iterable<string>) => {
    const names = [...files]
      .flatMap((file) => Object.keys(outputs[file]!.inputs))
      .map((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1]);
    return new Set(names.filter((name) => name !== undefined));
  };
  const clients = (names: Set<string>) =>
    [...names]
      .filter((name) => /^(@aws-sdk\/client-|mqtt|rocketmq|kinesalite|aws-cdk|constructs|commander)/.test(name))
      .sort();

  it('holds its own client, those for retries and for the task’s state, no other, and no CDK', () => {
    expect(clients(packagesOf(Object.keys(outputs)))).toEqual(
      [...own, ...later, '@aws-sdk/client-sqs', '@aws-sdk/client-ssm'].sort(),
    );
  });

  it('starts with its own client alone', () => {
    const [entry] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint?.endsWith('handler.ts'))!;
    const loaded = new Set<string>([entry]);
    for (const file of loaded)
      for (const { path, kind } of outputs[file]!.imports)
        if (kind === 'import-statement' && path in outputs) loaded.add(path);
    expect(clients(packagesOf(loaded))).toEqual(own);
  });
});
