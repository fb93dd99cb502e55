import { CONTROL_QUEUE_URL, readVariable, STACK_NAME, TASKS, WORKER_ROLES } from '../core/environment.ts';
import { connect } from './aws-ports.ts';
import { controlFunction } from './control-function.ts';

/**
 * The control function of a stack. Each minute a schedule invokes it, and it queues a reconciliation for every task. It
 * receives these, the reports of workers and the requests of the command from the control queue.
 */
export const handler = controlFunction({
  tasks: JSON.parse(readVariable(process.env, TASKS)),
  workers: JSON.parse(readVariable(process.env, WORKER_ROLES)),
  stack: readVariable(process.env, STACK_NAME),
  queueUrl: readVariable(process.env, CONTROL_QUEUE_URL),
  clients: connect(),
  log: (entry) => void process.stdout.write(`${JSON.stringify(entry)}\n`),
});
