import { parseArgs } from 'node:util';
import { type Fare, isUnharmed, soakHostile } from './hostile.ts';
import { isBalanced, showBalances } from './ledger.ts';
import { soak } from './soak.ts';

/**
 * `npm run soak -- --minutes N --seed S`: prints the ledger, and fails if it is not balanced. With `--hostile`, a hostile device
 * publishes among good ones; it fails if one of them is harmed.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string' },
    rate: { type: 'string', default: '60' },
    hostile: { type: 'boolean', default: false },
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

const isWell = await (values.hostile ? hostile() : balanced());
process.exitCode = isWell ? 0 : 1;

async function balanced(): Promise<boolean> {
  const repeat = `npm run soak -- --minutes ${minutes} --seed ${seed} --rate ${messagesPerSecond}`;
  console.log(`${repeat}\n`);
  const balances = await soak({ minutes, seed, messagesPerSecond, log: (line) => console.log(line) });
  console.log(`\n${showBalances(balances)}\n`);
  const balanced = balances.every(isBalanced);
  console.log(balanced ? 'Balanced.' : `NOT balanced. To repeat: ${repeat}`);
  return balanced;
}

async function hostile(): Promise<boolean> {
  const repeat = `npm run soak -- --hostile --minutes ${minutes} --seed ${seed}`;
  console.log(`${repeat}\n`);
  const fares = await soakHostile({ minutes, seed, log: (line) => console.log(line) });
  console.log(`\n${fares.map(show).join('\n')}\n`);
  const isFine = isUnharmed(fares);
  console.log(isFine ? 'Unharmed.' : `HARMED. To repeat: ${repeat}`);
  return isFine;
}

function show({ buffer, hostile, published, lost, p50Ms, p99Ms, statuses }: Fare): string {
  const beside = hostile ? 'beside a hostile device' : 'alone';
  return `${buffer}, ${beside}: ${published} published, ${lost} lost, p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${statuses.join(', ')}`;
}
