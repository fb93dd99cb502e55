import { expect, it } from 'vitest';
import { soakHostile } from '../soak/hostile.ts';

it('a hostile device loses nothing of the others, and stops no task, with a queue and with a stream', async () => {
  const fares = await soakHostile({ minutes: 0.15, seed: 1 });
  expect(fares.map(({ lost, statuses }) => [lost, ...statuses])).toEqual(Array(4).fill([0, 'Running']));
  expect(fares.every(({ published }) => published > 100)).toBe(true);
});
