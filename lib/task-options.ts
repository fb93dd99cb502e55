import { insteadOf, type OptionAdvice } from './advice.ts';
import {
  ALARM_ACTION,
  ANY,
  BOOLEAN,
  BUFFER,
  checkProps,
  DURATION,
  either,
  KEY,
  listOf,
  NUMBER,
  OBJECT,
  type OptionTypes,
  QUEUE,
  RETRY_POLICY,
  required,
  SINK,
  SOURCE,
  STRING,
  TOPIC,
} from './props.ts';
import { TASK_ADVICE } from './task-advice.ts';
import type { OutflowTaskProps } from './task-props.ts';
import { WORKER_OPTION_TYPES } from './worker-options.ts';

const OPTIONS: OptionTypes<OutflowTaskProps> = {
  source: required(SOURCE),
  sink: required(SINK),
  buffer: BUFFER,
  batchPush: OBJECT,
  filter: ANY,
  transform: ANY,
  route: OBJECT,
  missingVariable: ANY,
  validatePayload: ANY,
  deadLetterQueue: QUEUE,
  taskName: ANY,
  description: ANY,
  encryptionKey: KEY,
  removalPolicy: STRING,
  retryPolicy: RETRY_POLICY,
  faultTolerance: ANY,
  onExhausted: ANY,
  poison: ANY,
  requestTtl: DURATION,
  onExpired: ANY,
  maxConcurrency: NUMBER,
  rateLimit: NUMBER,
  enabled: BOOLEAN,
  logLevel: ANY,
  ...WORKER_OPTION_TYPES,
  alarms: either(OBJECT, { expected: 'false', is: (value) => value === false }),
  alarmTopic: TOPIC,
  alarmActions: listOf(ALARM_ACTION),
};

/** @throws InvalidOptionError for an option that a task does not have, or whose value has another type. */
export function checkTaskProps(id: string, props: OutflowTaskProps): void {
  checkProps(id, props, OPTIONS, adviceOf(props ?? {}));
}

/** What to use in place of an option that neither the task nor its sink or source has; undefined if there is no advice. */
export function insteadOfOption(props: OutflowTaskProps): (option: string) => string | undefined {
  const advice = adviceOf(props);
  return (option) => insteadOf(option, advice);
}

/** The sink's and the source's advice comes first: it knows more about the name. */
function adviceOf({ sink, source }: OutflowTaskProps): OptionAdvice {
  return [...(sink?.advice ?? []), ...(source?.advice ?? []), ...TASK_ADVICE];
}
