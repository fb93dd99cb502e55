// `npm run check`: runs the linter, the type checker and the unit tests at the same time. Each prints its output when it ends.
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const endings = await Promise.all([run('lint'), run('types'), run('check:unit')]);
process.exitCode = Math.max(...endings);

/** Runs a script of package.json. @returns its exit code, 1 for a signal */
function run(script) {
  const color = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  const child = spawn('npm', ['run', '--silent', script], { cwd: root, env: { ...process.env, ...color } });
  const printed = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => printed.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      process.stdout.write(Buffer.concat(printed));
      if (code !== 0) console.error(`npm run ${script}: failed`);
      resolve(code ?? 1);
    });
  });
}
