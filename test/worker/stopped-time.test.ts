import { expect, it } from 'vitest';
import { stateText, stoppedTime } from '../../lambdas/worker/stopped-time.ts';

it('reads the state once for many old messages, also when the read fails, and again half a minute later', async () => {
  let now = 1_000_000;
  let reads = 0;
  const logged: object[] = [];
  const stopped = stoppedTime(
    async () => {
      reads++;
      throw new Error('ThrottlingException');
    },
    { now: () => now, log: (entry) => logged.push(entry) },
  );
  for (let n = 0; n < 500; n++) expect(await stopped.within(0, now)).toBe(now);
  expect(reads).toBe(1);
  expect(logged).toEqual([{ event: 'task state not read', reason: 'Error: ThrottlingException' }]);
  now += 30_000;
  await stopped.within(0, now);
  expect(reads).toBe(1);
  now += 1;
  await stopped.within(0, now);
  expect(reads).toBe(2);
});

it('reads the version that the control function wrote; until there is one, the task was never stopped', async () => {
  const failing = (name: string) => async () => {
    throw Object.assign(new Error('no'), { name });
  };
  expect(await stateText('state', async (name) => name)()).toBe('state:written');
  const stopped = (name: string) => stoppedTime(stateText('state', failing(name)), { now: () => 1_000, log: () => {} });
  for (const name of ['ParameterNotFound', 'ParameterVersionNotFound']) {
    expect(await stateText('state', failing(name))()).toBeUndefined();
    expect(await stopped(name).within(0, 1_000)).toBe(0);
  }
  await expect(stateText('state', failing('ThrottlingException'))()).rejects.toThrow('no');
  expect(await stopped('ThrottlingException').within(0, 1_000)).toBe(1_000);
});
