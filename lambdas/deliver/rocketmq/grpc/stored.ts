import type { Code } from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/definition_pb.js';
import type {
  SendMessageRequest,
  SendMessageResponse,
} from 'rocketmq-client-nodejs/proto/apache/rocketmq/v2/service_pb.js';
import { log } from './log.ts';

const OK = 20_000 as Code;
/** HA_NOT_AVAILABLE, MASTER_PERSISTENCE_TIMEOUT and SLAVE_PERSISTENCE_TIMEOUT of apache.rocketmq.v2, as 5.5.0 answers sends. */
const STORED = new Map<number, string>([
  [50_002, 'no slave available'],
  [50_401, 'flushing to disk timed out'],
  [50_402, 'flushing to the slave timed out'],
]);

/**
 * The answer to a send of one message, delivered if its master has stored it, though not all that it promises beyond was done:
 * sending again would make duplicates. The proxy tells no id then, which is the one that the message went with.
 */
export function asStored(request: SendMessageRequest, response: SendMessageResponse): SendMessageResponse {
  const [entry] = response.getEntriesList();
  const status = entry?.getStatus();
  const warning = STORED.get(status?.getCode() ?? OK);
  if (warning === undefined) return response;
  const id = request.getMessagesList()[0]!.getSystemProperties()!.getMessageId();
  log.warn('message %s is stored, but %s', id, warning);
  status!.setCode(OK);
  entry!.setMessageId(id);
  response.getStatus()?.setCode(OK);
  return response;
}
