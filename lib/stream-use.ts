import { Stack } from 'aws-cdk-lib';
import type { Construct, IConstruct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';

interface Use {
  readonly as: 'buffer' | 'sink';
  readonly task: Construct;
}

const uses = new WeakMap<IConstruct, Map<string, Use[]>>();

/**
 * Notes that a task uses a stream, and refuses what cannot work: a stream that is the buffer of two tasks, of which each would
 * receive the other's messages, and a buffer that a sink writes to, whose records are no envelopes.
 *
 * @throws InvalidOptionError
 */
export function useStream(
  task: Construct,
  as: Use['as'],
  option: string,
  { streamArn }: { readonly streamArn: string },
): void {
  const { root } = task.node;
  const streams = uses.get(root) ?? new Map<string, Use[]>();
  uses.set(root, streams);
  const stack = Stack.of(task);
  // A name in one account and region is one stream, whichever construct stands for it.
  const key = JSON.stringify([stack.resolve(streamArn), stack.environment]);
  const users = streams.get(key) ?? [];
  const other = users.find((use) => use.task !== task && use.as === 'buffer' && as === 'buffer');
  if (other !== undefined)
    throw new InvalidOptionError(
      option,
      described(`the buffer of ${other.task.node.path}`),
      'a stream of its own: each task would receive the messages of both',
    );
  const opposite = users.find((use) => use.as !== as);
  if (opposite !== undefined)
    throw new InvalidOptionError(
      option,
      described(
        `the stream that is the ${opposite.as} of ${opposite.task === task ? 'the same task' : opposite.task.node.path}`,
      ),
      'another stream: a buffer holds the envelopes of its source, and the sink writes the messages that it delivers',
    );
  streams.set(key, [...users, { as, task }]);
}
