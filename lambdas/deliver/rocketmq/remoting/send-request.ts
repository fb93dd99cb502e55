import { encodeBatch } from './batch.ts';
import { type Request, requestCodes } from './command.ts';
import type { PreparedMessage } from './prepared-message.ts';
import { DEFAULT_TOPIC } from './route.ts';

export interface SendTo {
  readonly producerGroup: string;
  readonly topic: string;
  readonly queueId: number;
  /** Queues of a topic that the message creates. */
  readonly defaultTopicQueueNums: number;
  readonly bornAtMs: number;
}

/** Sends one message as it is, more as a batch: all of it is stored, or nothing. */
export function sendRequest(to: SendTo, messages: readonly PreparedMessage[]): Request {
  const [first] = messages;
  if (messages.length === 1) {
    return {
      code: requestCodes.sendMessageV2,
      fields: { ...fieldsOf(to), i: first!.properties, m: 'false' },
      body: first!.body,
    };
  }
  // Without `m` the whole block becomes one message, and the server is content.
  return {
    code: requestCodes.sendBatchMessage,
    fields: { ...fieldsOf(to), i: '', m: 'true' },
    body: encodeBatch(messages),
  };
}

const NO_QUEUE = 0x7fff_ffff;
const NO_TOPIC = 'OUTFLOW_NO_TOPIC';

/**
 * A send that a broker checks as any other (credentials, permission for the topic) and then refuses: no queue has this id,
 * and no topic is made after one that does not exist.
 */
export function probeRequest(to: Omit<SendTo, 'queueId'>): Request {
  return {
    code: requestCodes.sendMessageV2,
    fields: { ...fieldsOf({ ...to, queueId: NO_QUEUE }), c: NO_TOPIC, i: '', m: 'false' },
    body: Buffer.from('?'),
  };
}

/** Names are one letter each in this form of the request. */
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
