import { RetryLater, StopTask } from '../core/errors.ts';
import type { DeliverContext, Outcome, Sink } from '../deliver/sink.ts';
import { nameOf } from './unexpected-error.ts';

const NO_OUTCOME: Outcome = { status: 'retry', error: new RetryLater('the sink gave no outcome') };

/** Sends requests to the sink. @returns one outcome for each, in order, also where the sink throws. */
export async function send<Request>(
  sink: Sink<Request>,
  requests: readonly Request[],
  context: DeliverContext,
): Promise<readonly Outcome[]> {
  if (requests.length === 0) return [];
  try {
    const outcomes = await sink.deliver(requests, context);
    return requests.map((_, i) => outcomes[i] ?? NO_OUTCOME);
  } catch (error) {
    const outcome = outcomeOf(error);
    return requests.map(() => outcome);
  }
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof StopTask) return { status: 'stop', error };
  if (error instanceof RetryLater) return { status: 'retry', error };
  return { status: 'retry', error: new RetryLater(`the sink failed: ${nameOf(error)}`, { cause: error }) };
}
