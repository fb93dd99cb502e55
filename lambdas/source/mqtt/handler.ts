import { readFileSync } from 'node:fs';
import type { Context } from 'aws-lambda';
import { sqsApi } from '../../buffer/sqs/on-demand-api.ts';
import { resolveDeployTime } from '../../core/deploy-time.ts';
import {
  DEAD_LETTER_QUEUE_URL,
  INTAKE_PARAMETER,
  QUEUE_URL,
  readVariable,
  SLOT_PARAMETERS,
  STREAM_NAME,
  TARGET_ARN,
} from '../../core/environment.ts';
import { parseOptions } from '../../core/options.ts';
import { systemClock } from '../../net/clock.ts';
import { mqttSourceOptions } from './config.ts';
import { slotParameter } from './slot-parameter.ts';
import { mqttSource } from './source.ts';
import { type Put, storeIn, toQueue } from './store.ts';
import { takeTurn } from './turn.ts';

/** A scheduled start of a source's slot. */
export interface SlotEvent {
  /** From 1. */
  readonly slot: number;
}

const { env } = process;
const spec = JSON.parse(readFileSync(new URL('./spec.json', import.meta.url), 'utf8'));
const options = resolveDeployTime(parseOptions(mqttSourceOptions, spec, 'source'), env);
const { task } = options;
const log = (entry: object) => void process.stdout.write(`${JSON.stringify({ task, ...entry })}\n`);
const slots: readonly string[] = JSON.parse(readVariable(env, SLOT_PARAMETERS));
const stream = env[STREAM_NAME];
const put: Put =
  stream === undefined ? toQueue(sqsApi(), readVariable(env, QUEUE_URL), log) : await toTheStream(stream);

async function toTheStream(name: string): Promise<Put> {
  const { toStream } = await import('./stream-store.ts');
  return toStream(name, log);
}

/** Receives messages of a broker for as long as the invocation lasts; see `takeTurn`. */
export async function handler({ slot }: SlotEvent, context: Context): Promise<string> {
  const parameter = slots[slot - 1];
  // A start that EventBridge sent before the number of sessions was reduced.
  if (parameter === undefined) return `slot: got ${slot}; expected 1 to ${slots.length}`;
  const source = mqttSource(options, {
    env,
    store: storeIn(put, {
      api: sqsApi(),
      queueUrl: readVariable(env, DEAD_LETTER_QUEUE_URL),
      task,
      functionArn: withoutQualifier(context.invokedFunctionArn),
      targetArn: readVariable(env, TARGET_ARN),
      log,
    }),
    isOrdered: stream !== undefined,
    clock: systemClock,
  });
  const result = await takeTurn({
    store: slotParameter(parameter, readVariable(env, INTAKE_PARAMETER)),
    owner: context.awsRequestId,
    version: context.functionVersion,
    filters: source.filters,
    remainingMs: () => context.getRemainingTimeInMillis(),
    open: (before) => source.open(slot, before),
    clock: systemClock,
    log: (entry) => log({ slot, ...entry }),
  });
  log({ slot, event: 'session ended', reason: result });
  return result;
}

/** `arn:aws:lambda:<region>:<account>:function:<name>`, as the origin of the task's messages. */
function withoutQualifier(functionArn: string): string {
  return functionArn.split(':').slice(0, 7).join(':');
}
