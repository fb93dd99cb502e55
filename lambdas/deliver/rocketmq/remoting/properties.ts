import { NeverRetry } from '../../../core/errors.ts';

const AFTER_NAME = '\x01';
const AFTER_PAIR = '\x02';

/** Servers take 32,767, by characters or by bytes, and add some of their own. */
export const MAX_PROPERTIES_BYTES = 32_000;

/** Names with a meaning to servers and clients (class MessageConst of RocketMQ 5.5.0). Some would make a message disappear. */
const RESERVED = new Set(
  `KEYS TAGS WAIT DELAY RETRY_TOPIC ORIGIN_GROUP REAL_TOPIC REAL_QID TRAN_MSG PGROUP MIN_OFFSET MAX_OFFSET BUYER_ID
  ORIGIN_MESSAGE_ID TRANSFER_FLAG CORRECTION_FLAG MQ2_FLAG RECONSUME_TIME MSG_REGION TRACE_ON UNIQ_KEY TRANS_OFFSET
  EXTEND_UNIQ_INFO MAX_RECONSUME_TIMES CONSUME_START_TIME _SYS_MSG_PRIORITY_ INNER_NUM INNER_BASE DUP_INFO
  CHECK_IMMUNITY_TIME_IN_SECONDS TRAN_PREPARED_QUEUE_OFFSET __transactionId__ TRANSACTION_CHECK_TIMES INSTANCE_ID
  CORRELATION_ID REPLY_TO_CLIENT TTL ARRIVE_TIME PUSH_REPLY_TIME CLUSTER MSG_TYPE POP_CK POP_CK_OFFSET 1ST_POP_TIME
  __SHARDINGKEY __LITE_TOPIC PROPERTY_FORWARD_QUEUE_ID REDIRECT INNER_MULTI_DISPATCH INNER_MULTI_QUEUE_OFFSET
  TRACE_CONTEXT TIMER_DELAY_SEC TIMER_DELIVER_MS TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS TIMER_ROLL_TIMES TIMER_OUT_MS
  TIMER_DEL_UNIQKEY TIMER_ROLL_LABEL TIMER_DELAY_LEVEL TIMER_DELAY_MS __BORNHOST BORN_TIMESTAMP DLQ_ORIGIN_TOPIC
  DLQ_ORIGIN_MESSAGE_ID E_T __CRC32#`.split(/\s+/),
);
const RESERVED_PREFIX = '__RMQ.';

/** @throws NeverRetry for a name that RocketMQ keeps for itself, or an empty one (D14) */
export function checkUserProperty(name: string): void {
  if (name === '') throw new NeverRetry('REJECTED', 'property with an empty name; expected a name');
  // A name may be a publisher's: what is repeated is on the list.
  const reserved = RESERVED.has(name) ? name : name.startsWith(RESERVED_PREFIX) ? `${RESERVED_PREFIX}…` : undefined;
  if (reserved !== undefined)
    throw new NeverRetry('REJECTED', `property '${reserved}': RocketMQ keeps this name for itself; expected another`);
}

/**
 * Properties as they travel. The text has no escapes, so what would break it is refused; empty values do not arrive and
 * are left out. Half surrogate pairs become U+FFFD: a server reads them as something else than we sign.
 *
 * @throws NeverRetry
 */
export function encodeProperties(properties: Iterable<readonly [name: string, value: string]>): string {
  const pairs: string[] = [];
  for (const [name, value] of properties) {
    if (value === '') continue;
    if ([name, value].some((text) => text.includes(AFTER_NAME) || text.includes(AFTER_PAIR)))
      throw new NeverRetry('REJECTED', 'a key, the tag, the group or a property holds the character U+0001 or U+0002');
    pairs.push(name + AFTER_NAME + value);
  }
  const text = pairs.join(AFTER_PAIR).toWellFormed();
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_PROPERTIES_BYTES)
    throw new NeverRetry(
      'MESSAGE_TOO_LARGE',
      `properties, keys and tag have ${bytes} bytes; RocketMQ takes ${MAX_PROPERTIES_BYTES}`,
    );
  return text;
}
