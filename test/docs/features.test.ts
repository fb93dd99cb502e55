import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { missingTargets } from './links.ts';

const PAGE = 'docs/features.md';
/** Features that each product's documentation describes. */
const FEATURES: Readonly<Record<string, number>> = {
  'EMQX Enterprise: RocketMQ data integration': 30,
  'EMQX 3.x: RocketMQ bridge plugin': 22,
  'EMQX Cloud: MQTT bridge (sink and source)': 38,
  'ApsaraMQ for MQTT: message outflow task': 24,
  'EMQX: Amazon Kinesis data integration': 26,
};
const SHOWN = ['yes', 'nearest'];
const NOT_SHOWN = ['not yet', 'no need'];

interface Feature {
  readonly there: string;
  readonly status: string;
  readonly here: string;
  readonly see: string;
  readonly shownBy: string;
}

const text = readFileSync(PAGE, 'utf8');
const sections = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .map((section): [string, Feature[]] => [section.slice(0, section.indexOf('\n')), featuresIn(section)]),
);
const features = [...sections.values()].flat();

function featuresIn(section: string): Feature[] {
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) => {
    const [there = '', status = '', here = '', see = '', shownBy = '', ...more] = row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    expect(more, row).toEqual([]);
    return { there, status, here, see, shownBy };
  });
}

function sources(): string[] {
  const inFolders = ['bin', 'lib', 'lambdas', 'localstack', 'scripts'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  return ['package.json', ...inFolders.filter((file) => /\.(ts|mjs)$/.test(file))];
}

describe('the features of EMQX and ApsaraMQ', () => {
  it('are all there, each once in its product', () => {
    expect(Object.fromEntries([...sections].map(([name, list]) => [name, list.length]))).toEqual(FEATURES);
    for (const list of sections.values()) {
      const names = list.map(({ there }) => there);
      expect(names.filter((name, i) => name === '' || names.indexOf(name) !== i)).toEqual([]);
    }
  });

  it('have a status of the four that the page explains', () => {
    const explained = [...text.split(/^## /m)[0]!.matchAll(/^\| ([a-z ]+) \| [A-Z]/gm)].map(([, status]) => status);
    expect(explained).toEqual([...SHOWN, ...NOT_SHOWN]);
    expect(features.filter(({ status }) => !explained.includes(status))).toEqual([]);
  });

  it('that exist name what they are called, where they are documented and the test that shows them', () => {
    for (const { there, status, here, see, shownBy } of features) {
      if (!SHOWN.includes(status)) continue;
      expect(here, there).not.toBe('');
      expect(see, there).toMatch(/^\[[^\]]+\]\([^)]+\)$/);
      const [, file = ''] = /^`(test\/[\w./-]+\.test\.ts)`$/.exec(shownBy) ?? [];
      expect(existsSync(file), `${there}: ${shownBy}`).toBe(true);
    }
  });

  it('are called what the sources call them', () => {
    const names = new Set(sources().flatMap((file) => readFileSync(file, 'utf8').match(/--[a-z-]+|\w+/g) ?? []));
    const unknown = features
      .filter(({ status }) => SHOWN.includes(status))
      .flatMap(({ here }) => here.match(/`[^`]+`/g) ?? [])
      // Without names and texts that a user chooses.
      .map((code) => code.replaceAll(/'[^']*'|"[^"]*"|\$\{[^}]*\}/g, ' '))
      .flatMap((code) => code.match(/--[a-z-]+|\w{4,}/g) ?? [])
      .filter((name) => !names.has(name) && !names.has(name.replace('--', '')));
    expect(unknown).toEqual([]);
    const commands = [...text.matchAll(/`outflow ([a-z-]+)/g)].map(([, command]) => `bin/commands/${command}.ts`);
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('that do not exist claim no document and no test', () => {
    const claims = features.filter(({ status, see, shownBy }) => NOT_SHOWN.includes(status) && see + shownBy !== '');
    expect(claims).toEqual([]);
  });
});

it('links of all documents lead to files and headings that exist', () => expect(missingTargets()).toEqual([]));
