import { type IResource, Stack, Token } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';

/**
 * Refuses what is addressed by its bare name, or must be beside what it serves, and is of another account or region than the
 * stack. Where either is known only by the deployment, it passes.
 *
 * @param kind What it is, such as `a stream`.
 * @throws InvalidOptionError
 */
export function refuseElsewhere(scope: Construct, option: string, kind: string, { env }: Pick<IResource, 'env'>): void {
  const { account, region } = Stack.of(scope);
  if (isSame(env.account, account) && isSame(env.region, region)) return;
  throw new InvalidOptionError(
    option,
    described(`${kind} of ${place(env.account, env.region)}`),
    `one of the stack's own account and region, ${place(account, region)}`,
  );
}

function isSame(one: string, other: string): boolean {
  return one === other || Token.isUnresolved(one) || Token.isUnresolved(other);
}

function place(account: string, region: string): string {
  return [account, region].filter((part) => !Token.isUnresolved(part)).join(' in ');
}
