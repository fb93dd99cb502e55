import { expect, it } from 'vitest';
import { RetryLater, StopTask } from '../../lambdas/core/errors.ts';
import { secretReader } from '../../lambdas/net/secrets.ts';

it('a secret that cannot be read stops the task where waiting is no use, and the error names the secret', async () => {
  const failing = (name: string) =>
    secretReader({ secret: async () => Promise.reject(Object.assign(new Error('no'), { name })) })('arn');
  await expect(failing('AccessDeniedException')).rejects.toThrow(StopTask);
  await expect(failing('TimeoutError')).rejects.toThrow(RetryLater);
  await expect(failing('TimeoutError')).rejects.toThrow('read secret arn: TimeoutError: no');
});
