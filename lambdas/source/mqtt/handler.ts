import { readFileSync } from 'node:fs';
import type { Context } from 'aws-lambda';
import { sqsApi } from '../../buffer/sqs/on-demand-api.ts';
import { resolveDeployTime } from '../../core/deploy-time.ts';
import {
  DEAD_LETTER_QUEUE_URL,
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

/** Receives messages of a broker for as long as the invocation lasts. It throws nothing: the next start comes within a minute. */
export async function handler({ slot }: SlotEvent, context: Context): Promise<string> {
  const source = mqttSource(options, {
    env,
    store: storeIn(put, {
      api: sqsApi(),
      queueUrl: readVariable(env, DEAD_LETTER_QUEUE_URL),
      task,
      functionArn: context.invokedFunctionArn,
      targetArn: readVariable(env, TARGET_ARN),
      log,
    }),
    isOrdered: stream !== undefined,
    clock: systemClock,
  });
  const result = await takeTurn({
    state: slotParameter(slots[slot - 1]!),
    owner: context.awsRequestId,
    version: context.functionVersion,
    filters: source.filters,
    remainingMs: () => context.getRemainingTimeInMillis(),
    open: (filtersBefore) => source.open(slot, filtersBefore),
    clock: systemClock,
    log: (entry) => log({ slot, ...entry }),
  });
  log({ slot, event: 'session ended', reason: result });
  return result;
}
