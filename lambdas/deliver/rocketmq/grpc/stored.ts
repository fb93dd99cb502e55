import { debuglog } from 'node:util';
import type { Message } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import type { SendMessageResponse } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import { checkStatus } from './errors.ts';

const log = debuglog('outflow-rocketmq');

/** HA_NOT_AVAILABLE, MASTER_PERSISTENCE_TIMEOUT and SLAVE_PERSISTENCE_TIMEOUT of apache.rocketmq.v2, as 5.5.0 answers sends. */
const WARNINGS = new Map<number, string>([
  [50_002, 'no slave available'],
  [50_401, 'flushing to disk timed out'],
  [50_402, 'flushing to the slave timed out'],
]);

/**
 * Checks the answer to a send of one message. A message that the master has stored is delivered, even when the broker could not
 * flush or replicate it: sending it again would make a duplicate.
 *
 * @returns the message's id, which a proxy leaves out beside a warning.
 * @throws RefusedError
 */
export function checkStored(address: string, message: Message, response: SendMessageResponse): string {
  const id = message.getSystemProperties()!.getMessageId();
  const [entry] = response.getEntriesList();
  const warning = WARNINGS.get(entry?.getStatus()?.getCode() ?? 0);
  if (warning === undefined) {
    checkStatus(address, entry?.getStatus());
    checkStatus(address, response.getStatus());
  } else log('%s: message %s is stored, but %s', address, id, warning);
  return entry?.getMessageId() || id;
}
