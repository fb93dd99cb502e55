import { execFileSync } from 'node:child_process';
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
    const offThePath = ['core', 'net', 'control', 'testing', 'connector', 'observe'];
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

/**
 * Words with a private meaning, and what the documents and the code say instead. They are looked for in identifiers too:
 * `LENT_SECONDS` and `lentMessage` count as "lent".
 */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/\b(lent|lend|lends|lending|loans?)\b/i, 'received, receive; the visibility timeout'],
  [/\b(give|gives|gave|given|giving) (\w+ ){0,3}back\b/i, 'release, return to the queue'],
  [/\b(come|comes|came|coming) again\b/i, 'redelivered'],
  [/\bletters?\b/i, 'dead letter, DLQ message'],
  [/\b(put|puts|putting) (\w+ ){0,3}back\b/i, 'redrive, return to the queue'],
  [/\bfates?\b/i, 'disposition'],
  [/\bparcels?\b/i, 'delivery'],
  [/\bways?\b/i, 'route, path'],
  [/\bsuspects?\b/i, 'poison-message suspect'],
  [/\bisolat(e|es|ed|ing|ion)\b/i, 'quarantine'],
  [/\b(halt|halts|halted|halting)\b/i, 'the circuit is open; the task is stopped'],
  [/\bpaces?\b/i, 'rate limit'],
  [/\blanes?\b/i, 'concurrency limit'],
  [/\bavoidance\b/i, 'broker backoff'],
  [/\belsewhere\b/i, 'in another account, region or file'],
  [/\b(told|tell|tells|asked|hear|hears|heard|says)\b/i, 'reported, queried, is notified, states'],
  [/\bpark(s|ed|ing)?\b/i, 'deferred'],
  [/\btheirs\b|['’]s own(?=[.,;:)]|$| (and|or|is|are)\b)/i, "the sink's, the broker's"],
  [/\b(strange|strangers?|foresaw)\b/i, 'unknown sender, unexpected error'],
  [/\bas (it is|they are)\b/i, 'unchanged'],
  [
    /\bso (many|long)\b|\bof which those\b|\ball else\b|\b(that|what) is none\b|\bno such text\b/i,
    'the number, or its type',
  ],
];

/** Terms of AWS, MQTT, RocketMQ and TypeScript, fixed names in stored data, and plain English that those words are part of. */
const TERMS: readonly RegExp[] = [
  /dead[- ]letters?/gi,
  /letters?(,| and| or) (digits|numbers)|\d+ letters(?=\/)/gi,
  // The class of a character, in errors about JSON.
  /unexpected letter|`letter`|'letter'/g,
  // Amazon EC2's subnets, vitest's and TypeScript's options.
  /isolated subnets?|PRIVATE ISOLATED|isolate: false|isolated Modules/gi,
  // The attribute SUSPECT of a requeued message, and its flag.
  /poison-message suspects?|\bis Suspect\b|\bSUSPECT\b/g,
  // The stored state of a task, and the message that reports it.
  /\bhalt\b(?=[?.:;,)}'"`(=\]]| [=!]==| }| =| :|$)/g,
  // The metric, its count, and the disposition behind it.
  /\bParked\b|`parked`|\bparked\b(?=[:,;)'}]| [+<>}]|$)/g,
  // As declared, published, deployed …
  /as (it is|they are) (?=\w+ed\b)/g,
];

/** Identifiers as words: `LENT_SECONDS` and `lentMessage` become "LENT SECONDS" and "lent Message". */
const asWords = (line: string) => line.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replaceAll('_', ' ');

const THIS_FILE = 'test/docs/words.test.ts';

/** The private words of a line, after the terms have been removed. */
function privateWords(line: string): string[] {
  const words = TERMS.reduce((rest, term) => rest.replace(term, ' '), asWords(line));
  return INSTEAD.flatMap(([word, instead]) => {
    const found = word.exec(words);
    return found === null ? [] : [`"${found[0]}", write ${instead}`];
  });
}

describe('private words', () => {
  it.each([
    ['a letter is put back', 2],
    ['const LENT_SECONDS = 120; // lentMessage', 1],
    ['deadLetterQueue, DeadLetterCode, DLQ, dead-letter', 0],
    ['1 to 64 letters, digits, `-` and `_`', 0],
    ['halt: { why: stopped }', 0],
    ['the task halts', 1],
    ['metricParked() counts parked records', 1],
    ['silently, repaired, gateways, always', 0],
  ])('%s: %i', (line, count) => expect(privateWords(line)).toHaveLength(count));

  it('are in no document, comment or name that git knows', () => {
    const files = execFileSync('git', ['ls-files', '--', '*.ts', '*.md', '*.mjs'], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .filter((file) => file !== THIS_FILE);
    const found = files.flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, i) => privateWords(line).map((words) => `${file}:${i + 1}: ${words}`)),
    );
    expect(files.length).toBeGreaterThan(400);
    expect(found).toEqual([]);
  });
});
