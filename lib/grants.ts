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

/** The parts of a task that an operator reads and requests changes of. */
export interface OperatedParts {
  readonly queue: IQueue | undefined;
  readonly retryQueue: IQueue | undefined;
  /** The buffer's stream; a task has queues or a stream. */
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

/** Allows reading a task's status, and requesting that it be paused or enabled. */
export function grantControl(task: Construct, parts: OperatedParts, grantee: IGrantable): Grant {
  const { queue, retryQueue, deadLetterQueue, controlled } = parts;
  const queues = [queue, retryQueue, deadLetterQueue].filter((one) => one !== undefined);
  const allow = allowing(grantee);
  const grant = grantReadStack(task, parts, grantee).combine(
    allow(
      ['sqs:GetQueueAttributes'],
      queues.map(({ queueArn }) => queueArn),
    ),
  );
  if (controlled === undefined) return grant;
  const { control, state, mappings, live } = controlled;
  control.grantRequest(grantee);
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

/** Allows receiving DLQ messages, and redriving them to the task's queue or stream. */
export function grantRedrive(task: Construct, parts: OperatedParts, grantee: IGrantable): Grant {
  const { queue, stream, deadLetterQueue, controlled } = parts;
  const allow = allowing(grantee);
  const grant = grantReadStack(task, parts, grantee).combine(allow(RECEIVE_AND_MOVE, [deadLetterQueue.queueArn]));
  deadLetterQueue.encryptionMasterKey?.grant(grantee, 'kms:Decrypt');
  if (queue !== undefined) {
    grantSend(queue, grantee);
    return grant.combine(allow(['sqs:GetQueueAttributes'], [queue.queueArn]));
  }
  if (stream === undefined || controlled === undefined) return grant;
  stream.encryptionKey?.grant(grantee, 'kms:GenerateDataKey');
  const put = grant.combine(allow(['kinesis:PutRecords'], [stream.streamArn]));
  // The template does not name a stream of another stack; its event source mapping does.
  return logicalId(Stack.of(task), stream) !== undefined
    ? put
    : put.combine(
        allow(
          ['lambda:GetEventSourceMapping'],
          controlled.mappings.map(({ eventSourceMappingArn }) => eventSourceMappingArn),
        ),
      );
}

/** Amazon SQS, "Dead-letter queue redrive permissions"; the visibility timeout of a message that stays is reset. */
const RECEIVE_AND_MOVE = [
  'sqs:ReceiveMessage',
  'sqs:ChangeMessageVisibility',
  'sqs:DeleteMessage',
  'sqs:GetQueueAttributes',
  'sqs:StartMessageMoveTask',
  'sqs:ListMessageMoveTasks',
  'sqs:CancelMessageMoveTask',
];

/** The template's metadata lists the logical ids of the task's parts, and the stack their physical names. */
const READ_STACK = [
  'cloudformation:GetTemplate',
  'cloudformation:GetTemplateSummary',
  'cloudformation:ListStackResources',
  'cloudformation:DescribeStackResource',
];

function grantReadStack(task: Construct, { deadLetterQueue, controlled }: OperatedParts, grantee: IGrantable): Grant {
  const stack = Stack.of(task);
  const grant = allowing(grantee)(READ_STACK, [stack.stackId]);
  // The template does not name a dead-letter queue of another stack; the worker's environment does.
  return controlled === undefined || logicalId(stack, deadLetterQueue) !== undefined
    ? grant
    : grant.combine(allowing(grantee)(['lambda:GetFunctionConfiguration'], [controlled.live.functionArn]));
}

function allowing(grantee: IGrantable) {
  return (actions: string[], resourceArns: string[]) => Grant.addToPrincipal({ grantee, actions, resourceArns });
}
