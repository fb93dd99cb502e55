import { Stack } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import type { EventSourceMapping, IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { grantSend } from './buffer/queue-grants.ts';
import type { Control } from './control.ts';
import { logicalId } from './metadata.ts';

/** What an operator of a task has to do with. */
export interface OperatedParts {
  readonly queue: IQueue | undefined;
  readonly retryQueue: IQueue | undefined;
  /** The buffer's stream, in place of the queues. */
  readonly stream: IStream | undefined;
  readonly deadLetterQueue: IQueue;
  /** Absent for a task without a worker. */
  readonly controlled?: {
    readonly control: Control;
    readonly state: StringParameter;
    readonly mappings: readonly EventSourceMapping[];
    readonly live: IFunction;
  };
}

/** Allows seeing how a task is, and asking for it to be paused or enabled. */
export function grantControl(task: Construct, parts: OperatedParts, grantee: IGrantable): Grant {
  const { queue, retryQueue, deadLetterQueue, controlled } = parts;
  const queues = [queue, retryQueue, deadLetterQueue].filter((one) => one !== undefined);
  const allow = allowing(grantee);
  const grant = grantFind(task, parts, grantee).combine(
    allow(
      ['sqs:GetQueueAttributes'],
      queues.map(({ queueArn }) => queueArn),
    ),
  );
  if (controlled === undefined) return grant;
  const { control, state, mappings, live } = controlled;
  control.grantAsk(grantee);
  return grant
    .combine(allow(['ssm:GetParameter'], [state.parameterArn]))
    .combine(
      allow(
        ['lambda:GetEventSourceMapping'],
        mappings.map(({ eventSourceMappingArn }) => eventSourceMappingArn),
      ),
    )
    .combine(allow(['lambda:InvokeFunction'], [live.functionArn]));
}

/** Allows reading dead letters, and putting them back into the task's queue or stream. */
export function grantRedrive(task: Construct, parts: OperatedParts, grantee: IGrantable): Grant {
  const { queue, stream, deadLetterQueue, controlled } = parts;
  const allow = allowing(grantee);
  const grant = grantFind(task, parts, grantee).combine(allow(TAKE_AND_MOVE, [deadLetterQueue.queueArn]));
  deadLetterQueue.encryptionMasterKey?.grant(grantee, 'kms:Decrypt');
  if (queue !== undefined) {
    grantSend(queue, grantee);
    return grant.combine(allow(['sqs:GetQueueAttributes'], [queue.queueArn]));
  }
  if (stream === undefined || controlled === undefined) return grant;
  stream.encryptionKey?.grant(grantee, 'kms:GenerateDataKey');
  const put = grant.combine(allow(['kinesis:PutRecords'], [stream.streamArn]));
  // A stream of another stack is known from its mapping alone.
  return logicalId(Stack.of(task), stream) !== undefined
    ? put
    : put.combine(
        allow(
          ['lambda:GetEventSourceMapping'],
          controlled.mappings.map(({ eventSourceMappingArn }) => eventSourceMappingArn),
        ),
      );
}

/** Amazon SQS, "Dead-letter queue redrive permissions"; a letter that is only looked at is shown again at once. */
const TAKE_AND_MOVE = [
  'sqs:ReceiveMessage',
  'sqs:ChangeMessageVisibility',
  'sqs:DeleteMessage',
  'sqs:GetQueueAttributes',
  'sqs:StartMessageMoveTask',
  'sqs:ListMessageMoveTasks',
  'sqs:CancelMessageMoveTask',
];

/** The template's metadata lists the task's parts, and the stack has their names. */
const READ_STACK = [
  'cloudformation:GetTemplate',
  'cloudformation:GetTemplateSummary',
  'cloudformation:ListStackResources',
  'cloudformation:DescribeStackResource',
];

function grantFind(task: Construct, { deadLetterQueue, controlled }: OperatedParts, grantee: IGrantable): Grant {
  const stack = Stack.of(task);
  const grant = allowing(grantee)(READ_STACK, [stack.stackId]);
  // A dead-letter queue of another stack is known from the worker's environment alone.
  return controlled === undefined || logicalId(stack, deadLetterQueue) !== undefined
    ? grant
    : grant.combine(allowing(grantee)(['lambda:GetFunctionConfiguration'], [controlled.live.functionArn]));
}

function allowing(grantee: IGrantable) {
  return (actions: string[], resourceArns: string[]) => Grant.addToPrincipal({ grantee, actions, resourceArns });
}
