import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { parts } from '../../localstack/setup-parts.mjs';

const setup = (...args: string[]) => spawnSync(process.execPath, ['scripts/setup.mjs', ...args], { encoding: 'utf8' });

it('`npm run setup` lists the parts, and names the command that installs them all', () => {
  const { status, stdout } = setup();
  const listed = stdout.split('\n').map((line) => line.replace(/ (ready|missing) /, '').replaceAll(/ +/g, ' '));
  for (const { name, what } of parts) expect(listed).toContain(`${name} ${what}`);
  expect(stdout).toContain('npm run setup -- all');
  expect(status).toBe(0);
});

it('`npm run setup` refuses a part that does not exist', () => {
  const { status, stderr } = setup('kafka');
  expect(stderr).toContain("part: got 'kafka'; expected 'all', or parts of this list");
  expect(status).toBe(1);
});
