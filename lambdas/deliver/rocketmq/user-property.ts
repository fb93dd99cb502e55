import { NeverRetry } from '../../core/errors.ts';

/** Names with a meaning to servers and clients (class MessageConst of RocketMQ 5.5.0). Some of them would make a message disappear. */
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

/** @throws NeverRetry for an empty name, and for a name that RocketMQ reserves. */
export function checkUserProperty(name: string): void {
  if (name === '') throw new NeverRetry('REJECTED', 'property with an empty name; expected a name');
  // A name may come from a publisher, so the message repeats only names that are on the list.
  const reserved = RESERVED.has(name) ? name : name.startsWith(RESERVED_PREFIX) ? `${RESERVED_PREFIX}…` : undefined;
  if (reserved !== undefined)
    throw new NeverRetry('REJECTED', `property '${reserved}': RocketMQ reserves this name; expected another`);
}
