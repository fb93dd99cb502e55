import type { SQSRecord } from 'aws-lambda';
import type { ControlMessage } from '../core/control-message.ts';

/** Unique ids of the roles of the tasks' workers, by task. */
export type WorkerRoles = Readonly<Record<string, string>>;

/**
 * Whether the sender of a control message may send it: a worker may report that its own task cannot continue, and nothing more. SQS
 * sets the sender's id, `<unique id of the role>:<session>` (Amazon SQS API Reference, "ReceiveMessage": SenderId), so that code in
 * a worker cannot speak for another task. Everyone else with permission to send is an operator, or the control function.
 */
export function maySend({ kind, task }: ControlMessage, { attributes }: SQSRecord, workers: WorkerRoles): boolean {
  const [role = ''] = (attributes.SenderId ?? '').split(':');
  const own = Object.entries(workers).flatMap(([name, id]) => (id === role ? name : []));
  return own.length === 0 || (kind === 'halt' && own.includes(task));
}
