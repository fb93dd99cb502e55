import { parseArgs } from 'node:util';
import { isBalanced, showBalances } from './ledger.ts';
import { soak } from './soak.ts';

/** `npm run soak -- --minutes N --seed S`: prints the ledger, and fails if it is not balanced. */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string' },
    rate: { type: 'string', default: '60' },
  },
});
const number = (name: string, text: string, least: number) => {
  const value = Number(text);
  if (!(value >= least)) throw new Error(`--${name}: got '${text}'; expected a number from ${least}`);
  return value;
};
const minutes = number('minutes', values.minutes, 0);
const seed = number('seed', values.seed ?? String(Date.now() % 1_000_000), 0);
const messagesPerSecond = number('rate', values.rate, 1);

const repeat = `npm run soak -- --minutes ${minutes} --seed ${seed} --rate ${messagesPerSecond}`;
console.log(`${repeat}\n`);
const balances = await soak({ minutes, seed, messagesPerSecond, log: (line) => console.log(line) });
console.log(`\n${showBalances(balances)}\n`);
const balanced = balances.every(isBalanced);
console.log(balanced ? 'Balanced.' : `NOT balanced. To repeat: ${repeat}`);
process.exitCode = balanced ? 0 : 1;
