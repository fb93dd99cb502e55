import { execFileSync } from 'node:child_process';
import type { SQSEvent } from 'aws-lambda';
import { type Drained, drainBacklog } from '../test/soak/backlog.ts';
import { createFloor } from './floor.ts';
import { table } from './table.ts';

/**
 * A million messages, all there before the first is taken, drained by one task in one process beside a hand-written function
 * on the same queue, each in a process of its own: `node --import tsx bench/backlog.ts`.
 */
const COUNT = 1_000_000;
/** Little more than the full queue takes. With room to spare, V8 lets the heap grow before it collects, whoever drains. */
const HEAP_MIB = 950;
const BUNDLE = '.cache/bench/backlog';
const MIB = 1024 * 1024;

type Row = Pick<Drained, 'memoryAt' | 'leftBytes' | 'messagesPerSecond' | 'left'> & { readonly wrong: number };

const [name] = process.argv.slice(2);
if (name !== undefined) {
  const { copies, ...drained } = await drainBacklog(COUNT, name === 'floor' ? floor : undefined);
  const wrong = copies.reduce((sum, n, i) => sum + (n === (i % 2 === 0 ? 1 : 0) ? 0 : 1), 0);
  process.stdout.write(JSON.stringify({ ...drained, wrong } satisfies Row));
} else {
  // As the deployed code: tsx keeps the names of functions, at a cost for each that is made.
  execFileSync(process.execPath, ['scripts/bundle.mjs', 'bench/backlog.ts', BUNDLE], { stdio: 'inherit' });
  const rows = ['floor', 'worker'].map((which) => ({ which, ...measure(which) }));
  console.log(`\n${COUNT.toLocaleString('en')} messages in the queue, batches of 1,000, half of them pass\n`);
  console.log(
    table(
      [
        'drained by',
        'messages/s',
        '÷ floor',
        'RSS at 10 %, MiB',
        'at 90 %',
        '90 % ÷ 10 %',
        'kept, MiB',
        'lost or twice',
      ],
      rows.map(({ which, messagesPerSecond, memoryAt, leftBytes, left, wrong }) => [
        which,
        messagesPerSecond.toFixed(0),
        (messagesPerSecond / rows[0]!.messagesPerSecond).toFixed(2),
        (memoryAt.tenth.resident / MIB).toFixed(0),
        (memoryAt.nineTenths.resident / MIB).toFixed(0),
        (memoryAt.nineTenths.resident / memoryAt.tenth.resident).toFixed(2),
        (leftBytes / MIB).toFixed(1),
        String(left + wrong),
      ]),
    ),
  );
}

function measure(which: string): Row {
  const args = [`--max-old-space-size=${HEAP_MIB}`, `${BUNDLE}/index.mjs`, which];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** The same queue and mapping, with the floor in the worker's place. */
function floor(deliver: (ids: readonly string[]) => void) {
  const ids: string[] = [];
  const least = createFloor({
    async deliver(requests) {
      deliver(ids.splice(0));
      return requests.map(() => ({ status: 'delivered' }));
    },
    testConnectivity: async () => 'always',
    close() {},
  });
  return async (event: SQSEvent) => {
    // The floor keeps no ids; which messages came is read beside it, at a cost that the worker's own sink has as well.
    for (const { body } of event.Records) {
      const n = /"id":"(\d+)"/.exec(body)![1]!;
      if (Number(n) % 2 === 0) ids.push(n);
    }
    return least(event);
  };
}
