import { type IResource, Stack, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';

/**
 * Refuses a resource of another account or region than the stack. An account or region that is only known at deployment passes.
 *
 * @param what The resource with its article, such as `a stream`.
 * @throws InvalidOptionError
 */
export function checkEnvironment(
  scope: Construct,
  option: string,
  what: string,
  { env }: Pick<IResource, 'env'>,
): void {
  const { account, region } = Stack.of(scope);
  if (isSame(env.account, account) && isSame(env.region, region)) return;
  throw new InvalidOptionError(
    option,
    described(`${what} of ${place(env.account, env.region)}`),
    `one of the stack's account and region, ${place(account, region)}`,
  );
}

function isSame(one: string, other: string): boolean {
  return one === other || Token.isUnresolved(one) || Token.isUnresolved(other);
}

function place(account: string, region: string): string {
  return [account, region].filter((part) => !Token.isUnresolved(part)).join(' in ');
}
