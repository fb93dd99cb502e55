import { Token } from 'aws-cdk-lib';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';

/** A private certificate authority: PEM in the spec, or a secret that holds PEM. */
export interface Authority {
  readonly pem?: string;
  readonly secret?: ISecret;
}

/** Reads the option `certificateAuthority`. @throws InvalidOptionError for a text that is not PEM. */
export function authorityOf(option: string, given: string | ISecret | undefined): Authority {
  if (given === undefined) return {};
  if (typeof given === 'object') return { secret: given };
  if (!Token.isUnresolved(given) && !given.includes('-----BEGIN CERTIFICATE'))
    throw new InvalidOptionError(option, given, 'PEM that begins with -----BEGIN CERTIFICATE-----');
  return { pem: given };
}
