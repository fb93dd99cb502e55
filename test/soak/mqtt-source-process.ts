import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../../lambdas/source/mqtt/intake.ts';
import { NOTHING_KNOWN, sourceOf } from '../support/mqtt-source.ts';

/** Receives messages of the broker in argument 1, and appends their payloads to the file in argument 2. */
const [, , url, path] = process.argv;
const file = openSync(path!, 'a');
const store: Store = async (envelopes) => {
  await sleep(20);
  writeSync(file, envelopes.map(({ payload }) => `${Buffer.from(payload, 'base64')}\n`).join(''));
  fsyncSync(file);
  return envelopes.map(() => true);
};
// A connection by itself does not keep the process.
const keeping = setInterval(() => {}, 1_000);
const session = await sourceOf(url!, store).open(1, NOTHING_KNOWN);
process.stdout.write('connected\n');
await session.ended;
clearInterval(keeping);
closeSync(file);
