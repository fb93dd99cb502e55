import { encodeBatch } from './batch.ts';
import { type Request, requestCodes } from './command.ts';
import type { PreparedMessage } from './prepared-message.ts';
import { DEFAULT_TOPIC } from './route.ts';

export interface SendTo {
  readonly producerGroup: string;
  readonly topic: string;
  readonly queueId: number;
  /** Queues that a broker creates with a new topic. */
  readonly defaultTopicQueueNums: number;
  readonly bornAtMs: number;
}

/** Makes a request for one message, or for a batch: a broker stores all of a batch, or none of it. */
export function sendRequest(to: SendTo, messages: readonly PreparedMessage[]): Request {
  const [first] = messages;
  if (messages.length === 1) {
    return {
      code: requestCodes.sendMessageV2,
      fields: { ...fieldsOf(to), i: first!.properties, m: 'false' },
      body: first!.body,
    };
  }
  // Without `m`, a broker accepts the whole block as one message.
  return {
    code: requestCodes.sendBatchMessage,
    fields: { ...fieldsOf(to), i: '', m: 'true' },
    body: encodeBatch(messages),
  };
}

const NO_QUEUE = 0x7fff_ffff;
const NO_TOPIC = 'OUTFLOW_NO_TOPIC';

/**
 * Makes a request that a broker checks like any send (credentials, permission for the topic) and then refuses: no queue has
 * this id, and no topic is created from a default topic that does not exist.
 */
export function probeRequest(to: Omit<SendTo, 'queueId'>): Request {
  return {
    code: requestCodes.sendMessageV2,
    fields: { ...fieldsOf({ ...to, queueId: NO_QUEUE }), c: NO_TOPIC, i: '', m: 'false' },
    body: Buffer.from('?'),
  };
}

/** The fields have names of one character in this version of the request (class SendMessageRequestHeaderV2). */
function fieldsOf({ producerGroup, topic, queueId, defaultTopicQueueNums, bornAtMs }: SendTo): Record<string, string> {
  return {
    a: producerGroup,
    b: topic,
    c: DEFAULT_TOPIC,
    d: `${defaultTopicQueueNums}`,
    e: `${queueId}`,
    f: '0',
    g: `${bornAtMs}`,
    h: '0',
    j: '0',
    k: 'false',
  };
}
