import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (file: string) => readFileSync(file, 'utf8');
const foldersOf = (folder: string) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
/** The members of a union of string literals. */
const membersOf = (file: string, type: string) => {
  const [, union = ''] = new RegExp(`export type ${type} =([^;]*);`).exec(read(file)) ?? [];
  return [...union.matchAll(/'(\w+)'/g)].map(([, member]) => member!);
};

const [, picture = ''] = /```mermaid\n([\s\S]*?)```/.exec(read('README.md')) ?? [];
const words = new Set(picture.toLowerCase().match(/[a-z]+/g));

describe('a record’s path has the same words', () => {
  it('in the README’s picture and in the STAGE of dead letters', () => {
    const stages = membersOf('lambdas/core/errors.ts', 'Stage');
    expect(stages).toContain('deliver');
    expect(stages.filter((stage) => !words.has(stage))).toEqual([]);
  });

  it('in the picture and in the folders of what runs and of what is declared', () => {
    const offThePath = ['core', 'control', 'testing', 'connector', 'observe'];
    const folders = ['lambdas', 'lib'].flatMap(foldersOf).filter((name) => !offThePath.includes(name));
    expect(folders).toEqual(expect.arrayContaining(['source', 'buffer', 'worker', 'step', 'deliver']));
    expect(folders.filter((name) => !words.has(name) && !words.has(`${name}s`))).toEqual([]);
  });

  it('in the picture and in the metrics; the others are outcomes', () => {
    const metrics = ['BatchMetric', 'ControlMetric'].flatMap((type) => membersOf('lambdas/core/metrics.ts', type));
    const outcomes = ['Retried', 'Parked', 'Expired', 'Dropped', 'DeadLettered', 'Failed', 'CircuitOpen', 'Blocked'];
    const ofStages = metrics.filter((name) => !outcomes.includes(name));
    expect(ofStages).toContain('Delivered');
    expect(ofStages.filter((name) => !words.has(name.toLowerCase().replace(/ed$/, '')))).toEqual([]);
    const documented = read('docs/operating.md')
      .match(/^\| `[A-Z].*?\|/gm)
      ?.flatMap((row) => row.match(/\w+/g));
    expect(documented).toEqual(metrics);
  });
});
