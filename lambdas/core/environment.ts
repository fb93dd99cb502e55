import { InvalidOptionError } from './errors.ts';

/** Environment variables of a task's functions: constructs write them, the functions read them. */
export const DEAD_LETTER_QUEUE_URL = 'DEAD_LETTER_QUEUE_URL';
/** URL of the buffer's queue. Only with a `QueueBuffer`. */
export const QUEUE_URL = 'QUEUE_URL';
/** URL of the queue that holds messages until their next attempt. Only with a `QueueBuffer`. */
export const RETRY_QUEUE_URL = 'RETRY_QUEUE_URL';
/** The buffer's stream; only for a function that writes to it. */
export const STREAM_NAME = 'STREAM_NAME';
export const CONTROL_QUEUE_URL = 'CONTROL_QUEUE_URL';
export const STACK_NAME = 'STACK_NAME';
/** ARNs of the rules, in the order of the source's filters, in the format of `readRuleArns`. */
export const RULE_ARNS = 'RULE_ARNS';
/** ARN or address of the sink's target. It ends in `*` when each request names the rest. */
export const TARGET_ARN = 'TARGET_ARN';
/** Name of the parameter that holds the task's state. Only with a `requestTtl`. */
export const STATE_PARAMETER = 'STATE_PARAMETER';

/** Names of the parameters with the states of an MQTT source's slots: a JSON list. */
export const SLOT_PARAMETERS = 'SLOT_PARAMETERS';
/** Name of the parameter that stops the source. */
export const INTAKE_PARAMETER = 'INTAKE_PARAMETER';
/** Topic filters of a delivered log's function: a JSON list. */
export const TOPIC_FILTERS = 'TOPIC_FILTERS';
/** Parameters of a stack's tasks, for its control function: JSON, names by task. */
export const TASKS = 'TASKS';
/** Unique ids of the roles of a stack's workers, for its control function: JSON, ids by task. */
export const WORKER_ROLES = 'WORKER_ROLES';

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
