// `npm run setup -- <part> …`: installs what some suites need besides Node and npm packages. Without a part, lists them.
import { parts } from '../localstack/setup-parts.mjs';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => name !== 'all' && !parts.some((part) => part.name === name));
if (wanted.length === 0 || unknown.length > 0) {
  for (const name of unknown) console.error(`part: got '${name}'; expected 'all', or parts of this list:`);
  for (const { name, what, isReady } of parts)
    console.log(`${name.padEnd(12)} ${isReady() ? 'ready  ' : 'missing'}  ${what}`);
  console.log('Install them with `npm run setup -- all`, or `npm run setup -- <part> …`.');
  process.exitCode = unknown.length > 0 ? 1 : 0;
}
for (const part of parts) {
  if (!wanted.includes(part.name) && !wanted.includes('all')) continue;
  if (part.isReady()) console.log(`${part.name}: ready`);
  else part.install();
}
