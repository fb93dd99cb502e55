import type { OptionAdvice } from './advice.ts';

/** Advice for options of EMQX's rules, actions and connectors that are options of the task here, or that no task needs. */
export const TASK_ADVICE: OptionAdvice = [
  [
    /password|passcode|secret|securitytoken|accesskey/,
    "no credentials in a task: AWS accepts the worker's role, a broker the secret that its connector names",
  ],
  [
    /^(tcp)?sock(et)?|^(tcp)?(send|recv?|snd|receive)buf(fer)?(size)?$|^nodelay$|readpackets/,
    'nothing: a function cannot size its sockets; memorySize gives it more memory and CPU',
  ],
  [
    /poolsize$|^(buffer)?workers?$/,
    "the task's maxConcurrency: each invocation has its own connection, and AWS Lambda starts up to that many",
  ],
  [
    /^(max)?inflight/,
    "the task's maxConcurrency, or rateLimit: they bound the batches that are delivered concurrently and the records per second",
  ],
  [
    /healthcheck|^(start|auto)timeout$/,
    'nothing: a failing sink is tested each minute, and `outflow test-connectivity` tests it at any time',
  ],
  [/^enablebatch$|batch(size|time|interval|messages)?$/, "the task's batchPush: { messages, interval }"],
  [
    /buffer|^(enable|max)queue/,
    "the task's buffer: a queue has no size limit; QueueBuffer({ retentionPeriod }) sets how long it keeps messages",
  ],
  [
    /querymode|^(a?sync(mode)?|produce)$/,
    'nothing: every batch is delivered and acknowledged before its messages leave the queue',
  ],
  [
    /^(request|message)(ttl|timeout|expiry)$/,
    "the task's requestTtl: a Duration, after which a message is no longer delivered",
  ],
  [
    /retries$|retry|^(resume|autorestart|reconnect)(interval)?$/,
    "the task's retryPolicy: RetryPolicy.backoff(), .exponentialDecay() or .custom({ steps })",
  ],
  [/^(enable|start(ed)?aftercreated|autostart)$/, "the task's enabled: whether the task runs once it is deployed"],
  [/^metrics/, 'nothing: the worker writes metrics once per batch'],
  [/^(dlq|deadletter)/, "the task's deadLetterQueue: an SQS queue"],
];
