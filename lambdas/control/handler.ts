import { connect } from './aws.ts';
import { requests } from './requests.ts';

/**
 * The control function of a stack. Each minute it is called to see to every task; that, what workers report and what the
 * command asks for then come by its queue.
 */
export const handler = requests({
  tasks: JSON.parse(process.env['TASKS'] ?? '{}'),
  stack: process.env['STACK_NAME'] ?? '',
  queueUrl: process.env['CONTROL_QUEUE_URL']!,
  clients: connect(),
  log: (entry) => console.log(JSON.stringify(entry)),
});
