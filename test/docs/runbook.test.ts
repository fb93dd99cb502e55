import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEAD_LETTER_CODES } from '../../lambdas/core/errors.ts';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const runbook = read('docs/runbook.md');

/** Articles by heading, without what stands in code blocks. */
const articles = new Map(
  runbook
    .split(/^### /m)
    .slice(1)
    .map((article): [string, string] => {
      const [heading = '', ...lines] = article.split(/^## /m)[0]!.split('\n');
      return [heading, lines.join('\n')];
    }),
);

const CODE = /^[A-Z]+(_[A-Z]+)*$/;
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');

describe('the runbook', () => {
  it('has an article for each dead-letter code, in the order of the list, and for no other', () => {
    expect(DEAD_LETTER_CODES.length).toBeGreaterThan(5);
    expect([...articles.keys()].filter((heading) => CODE.test(heading))).toEqual(DEAD_LETTER_CODES);
  });

  it('has in each of them a check, a remedy and a redrive', () => {
    for (const [heading, text] of articles) {
      if (CODE.test(heading)) expect([heading, ...steps(text)]).toEqual([heading, 'Check', 'Remedy', 'Redrive']);
      else if (heading.startsWith('Alarm: ')) expect(steps(text).slice(0, 2), heading).toContain('Check');
    }
  });

  it.each(['dead letters', 'oldest message', 'parse errors', 'circuit open', 'blocked', 'iterator age'])(
    'has an article for the alarm: %s',
    (name) => expect([...articles.keys()]).toContain(`Alarm: ${name}`),
  );

  it('is where links to it lead', () => {
    const headings = [...runbook.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading!));
    expect(new Set(headings).size).toBe(headings.length);
    const own = [...runbook.matchAll(/\]\(#([^)]*)\)/g)].map(([, target]) => target);
    const others = ['README.md', ...filesOf('docs', '.md'), ...filesOf('lib', '.ts'), ...filesOf('bin', '.ts')].flatMap(
      (file) => [...read(file).matchAll(/runbook\.md#([a-z_-]+)/g)].map(([, target]) => target),
    );
    expect(own.length).toBeGreaterThan(0);
    expect(headings).toEqual(expect.arrayContaining([...own, ...others]));
  });
});

function steps(article: string): string[] {
  return [...article.matchAll(/^- \*\*([\w ]+)\*\* /gm)].map(([, step]) => step!);
}

function filesOf(folder: string, suffix: string): string[] {
  return readdirSync(new URL(`../../${folder}`, import.meta.url), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(suffix))
    .map((name) => join(folder, name));
}
