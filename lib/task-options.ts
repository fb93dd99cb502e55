import { insteadOf, type OptionAdvice, refuseUnknown } from './advice.ts';
import { TASK_ADVICE } from './task-advice.ts';
import type { OutflowTaskProps } from './task-props.ts';

const OPTIONS = Object.keys({
  source: true,
  sink: true,
  buffer: true,
  batchPush: true,
  filter: true,
  transform: true,
  route: true,
  missingVariable: true,
  validatePayload: true,
  deadLetterQueue: true,
  taskName: true,
  description: true,
  encryptionKey: true,
  removalPolicy: true,
  retryPolicy: true,
  faultTolerance: true,
  onExhausted: true,
  poison: true,
  requestTtl: true,
  onExpired: true,
  maxConcurrency: true,
  rateLimit: true,
  enabled: true,
  logGroup: true,
  logLevel: true,
  memorySize: true,
  alarms: true,
  alarmTopic: true,
} satisfies Record<keyof OutflowTaskProps, true>);

/** @throws InvalidOptionError for an option that a task does not have. */
export function refuseUnknownOptions(id: string, props: OutflowTaskProps): void {
  refuseUnknown(id, props, OPTIONS, adviceOf(props));
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
