import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const FOLDER = 'docs/decisions';
const index = readFileSync(`${FOLDER}/README.md`, 'utf8');
const pages = readdirSync(FOLDER).filter((name) => name !== 'README.md');

describe('the decisions', () => {
  it('are all in the index, and linked from CONTRIBUTING', () => {
    const linked = [...index.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => page);
    expect(linked.sort()).toEqual(pages.sort());
    expect(readFileSync('CONTRIBUTING.md', 'utf8')).toContain(`(${FOLDER}/README.md)`);
  });

  it.each(pages)('%s asks a question, and gives context, choice, cost and what would change it', (page) => {
    const headings = [...readFileSync(`${FOLDER}/${page}`, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, text]) => text!);
    expect(headings[0]).toMatch(/^Why .*\?$/);
    expect(headings.slice(1)).toEqual(['Context', 'Choice', 'Cost', 'What would change it']);
  });

  it.each(pages)('%s is a page, not a paper', (page) => {
    expect(readFileSync(`${FOLDER}/${page}`, 'utf8').split('\n').length).toBeLessThan(60);
  });
});
