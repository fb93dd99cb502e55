/**
 * Options that EMQX's bridges have and that cannot act here, or that are called otherwise, and what to do instead (rows A, B, C, E
 * of EMQX's "RocketMQ", "MQTT" and "Kinesis" data integrations). Names are compared without case, `_`, `.` and `-`; the first
 * that fits counts.
 */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [
    /password|passcode|secret|securitytoken|accesskey/,
    'no credentials in a task: AWS is called with the role of the worker, a broker with the secret that its connector names',
  ],
  [
    /^(tcp)?sock(et)?|^(tcp)?(send|recv?|snd|receive)buf(fer)?(size)?$|^nodelay$|readpackets/,
    'nothing: a function cannot size its sockets; memorySize gives it more memory and CPU',
  ],
  [
    /poolsize$|^(buffer)?workers?$/,
    'the task’s maxConcurrency: each worker at work has its own connection, and Lambda starts as many as it may',
  ],
  [/^(max)?inflight/, 'the task’s maxConcurrency, or rateLimit: so many batches, or records a second, are under way'],
  [
    /healthcheck|^(start|auto)timeout$/,
    'nothing: while the sink fails it is tried each minute, and `outflow test-connectivity` asks when you like',
  ],
  [/^enablebatch$|batch(size|time|interval|messages)?$/, 'the task’s batchPush: { messages, interval }'],
  [
    /buffer|^(enable|max)queue/,
    'the task’s buffer: a queue has no size that could run out; QueueBuffer({ retentionPeriod }) says how long it keeps messages',
  ],
  [
    /querymode|^(a?sync(mode)?|produce)$/,
    'nothing: every batch is delivered, and answered for, before it leaves the queue',
  ],
  [
    /^(request|message)(ttl|timeout|expiry)$/,
    'the task’s requestTtl: a Duration after which a message is not sent any more',
  ],
  [
    /retries$|retry|^(resume|autorestart|reconnect)(interval)?$/,
    'the task’s retryPolicy: RetryPolicy.backoff(), .exponentialDecay() or .custom({ steps })',
  ],
  [/refresh/, 'nothing: the route to a topic is asked for again when it may be old, and after a failure'],
  [/^(enable|start(ed)?aftercreated|autostart)$/, 'the task’s enabled: whether the task runs once it is deployed'],
  [/^metrics/, 'nothing: metrics are written once per batch'],
  [/^payloadtemplate$|^template$/, 'payload, a template; blank forwards the whole rule output'],
  [/^(streamname|endpoint|endpointurl)$/, "the sink's first argument: the stream, or its name"],
  [/^(dlq|deadletter)/, 'the task’s deadLetterQueue: an SQS queue'],
];

/** What to do in place of an option that does not exist; undefined when nobody knows. */
export function insteadOf(option: string): string | undefined {
  const name = option.toLowerCase().replace(/[^a-z0-9]/g, '');
  return INSTEAD.find(([pattern]) => pattern.test(name))?.[1];
}
