import { InvalidOptionError } from './errors.ts';

/** Environment variables of a worker: the construct writes them, the worker reads them. */
export const DEAD_LETTER_QUEUE_URL = 'DEAD_LETTER_QUEUE_URL';
/** The buffer's queue; only with a queue as buffer. */
export const QUEUE_URL = 'QUEUE_URL';
/** Where messages wait for their next try; only with a queue as buffer. */
export const RETRY_QUEUE_URL = 'RETRY_QUEUE_URL';
export const CONTROL_QUEUE_URL = 'CONTROL_QUEUE_URL';
export const STACK_NAME = 'STACK_NAME';
/** ARNs of the rules, in the order of the source's filters: see `readRuleArns`. */
export const RULE_ARNS = 'RULE_ARNS';
/** ARN or address of the sink's target; it ends in `*` where requests name the rest. */
export const TARGET_ARN = 'TARGET_ARN';
/** Name of the parameter that keeps the task's state; only with a `requestTtl`. */
export const STATE_PARAMETER = 'STATE_PARAMETER';

/** A function's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a variable that the construct sets. @throws InvalidOptionError when it is missing or empty. */
export function readVariable(env: Environment, name: string): string {
  const value = env[name];
  if (value) return value;
  throw new InvalidOptionError(
    `environment variable ${name}`,
    value,
    'a value; deploy the task again to restore its environment',
  );
}
