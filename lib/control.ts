import { ArnFormat, type CfnElement, Duration, Lazy, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as LambdaTarget } from 'aws-cdk-lib/aws-events-targets';
import { Grant, type IGrantable, type IRole, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  type EventSourceMapping,
  type IFunction,
  Function as LambdaFunction,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { CONTROL_QUEUE_URL, STACK_NAME, TASKS, WORKER_ROLES } from '../lambdas/core/environment.ts';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { bundleCode } from './asset.ts';
import { grantSend } from './buffer/queue-grants.ts';
import type { IntakeSwitch, Origin } from './source/origin.ts';

/** The parts of a task that the control function reads and switches. */
export interface ControlledParts {
  readonly mappings: readonly EventSourceMapping[];
  readonly origins: readonly Origin[];
  /** The alias that the mappings invoke. */
  readonly live: IFunction;
  /** The worker's role. */
  readonly workerRole: IRole | undefined;
  /** Where deferred messages wait. */
  readonly retryQueue: IQueue | undefined;
  /** The parameter that keeps the task's state. */
  readonly state: StringParameter;
  /** Whether the task runs until its state is first written. */
  readonly enabled: boolean;
}

const ID = 'OutflowControl';
/** Long enough for a probe that times out and for mappings that are still changing state. */
const TIMEOUT = Duration.seconds(90);
/** AWS Lambda requires at least the function's timeout. A longer one would only delay the redelivery after a crash. */
const VISIBILITY_TIMEOUT = Duration.seconds(100);

/** Bytes of the function's environment that the names of tasks and of their parameters may take (AWS Lambda, "Quotas"). */
const TASKS_BYTES = 3_600;
/** CloudFormation names a parameter `CFN-<logical id>-<12 characters>`; JSON adds quotes, a colon and a comma. */
const AROUND_NAMES = 23;

/** The unique id of a role has 21 characters (AWS IAM, "IAM identifiers"). */
const AROUND_ROLE_ID = 27;

/**
 * Pauses and resumes the tasks of a stack, on an operator's request and when a sink fails. It is one small function outside any
 * VPC. A FIFO queue invokes it, with the task's name as message group, so that the requests for a task are handled in order.
 */
export class Control extends Construct {
  /** The control of a construct's stack; the first call in a stack makes it. */
  static of(scope: Construct): Control {
    const stack = Stack.of(scope);
    return (stack.node.tryFindChild(ID) as Control | undefined) ?? new Control(stack, ID);
  }

  /** Receives the reports of workers and the requests of operators. */
  readonly queue: Queue;
  readonly function: LambdaFunction;
  readonly #tasks: Record<string, string> = {};
  readonly #workerRoles: Record<string, string> = {};
  #tasksBytes = 0;

  private constructor(scope: Construct, id: string) {
    super(scope, id);
    this.queue = new Queue(this, 'Queue', {
      fifo: true,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: VISIBILITY_TIMEOUT,
      // The function reconciles every task each minute, so that a report loses its use soon; an operator repeats a request.
      retentionPeriod: Duration.hours(1),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(this.queue).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: 'It holds requests and reports, and no messages of a task; one that fails for an hour is obsolete.',
    });
    const logGroup = new LogGroup(this, 'Logs', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.function = new LambdaFunction(this, 'Function', {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: bundleCode('control'),
      description: 'Pauses and resumes Outflow tasks',
      memorySize: 256,
      timeout: TIMEOUT,
      environment: {
        [CONTROL_QUEUE_URL]: this.queue.queueUrl,
        [STACK_NAME]: Stack.of(this).stackName,
        [TASKS]: Lazy.string({ produce: () => Stack.of(this).toJsonString(this.#tasks) }),
        [WORKER_ROLES]: Lazy.string({ produce: () => Stack.of(this).toJsonString(this.#workerRoles) }),
      },
      role,
      logGroup,
    });
    this.#allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn]);
    grantSend(this.queue, this.function);
    // One request per invocation: a task whose probe times out does not delay another task.
    this.function.addEventSource(new SqsEventSource(this.queue, { batchSize: 1, reportBatchItemFailures: true }));
    new Rule(this, 'EachMinute', {
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaTarget(this.function, { retryAttempts: 0 })],
    });
  }

  /** Lets the control function pause and resume a task. */
  add(scope: Construct, task: string, parts: ControlledParts): void {
    const { mappings, origins, live, workerRole, retryQueue, state, enabled } = parts;
    const switches = intakeSwitches(origins);
    const configuration = new StringParameter(scope, 'Control', {
      description: `Parts of Outflow task ${task}`,
      stringValue: Stack.of(scope).toJsonString({
        mappings: mappings.map(({ eventSourceMappingId }) => eventSourceMappingId),
        state: state.parameterName,
        ...(!enabled && { enabled }),
        ...Object.fromEntries([...switches].map(([list, each]) => [list, each.map(({ name }) => name)])),
        worker: live.functionArn,
        ...(retryQueue !== undefined && { retryQueue: { url: retryQueue.queueUrl, arn: retryQueue.queueArn } }),
      }),
    });
    this.#tasks[task] = configuration.parameterName;
    // The unique id of an imported role is unknown.
    if (workerRole instanceof Role) this.#workerRoles[task] = workerRole.roleId;
    const stack = Stack.of(scope);
    const logicalId: string = stack.resolve(stack.getLogicalId(configuration.node.defaultChild as CfnElement));
    this.#tasksBytes += task.length + logicalId.length + AROUND_NAMES + task.length + AROUND_ROLE_ID;
    if (this.#tasksBytes > TASKS_BYTES) {
      const count = Object.keys(this.#tasks).length;
      throw new InvalidOptionError(
        scope.node.path,
        described(`task ${count} of its stack`),
        `at most ${count - 1} tasks with names of this length: they have to fit in the 4 KB of a function's environment`,
      );
    }
    this.#allow(['ssm:GetParameters'], [configuration.parameterArn]);
    this.#allow(
      ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:PutParameter', 'ssm:LabelParameterVersion'],
      [state.parameterArn],
    );
    this.#allow(
      ['lambda:GetEventSourceMapping', 'lambda:UpdateEventSourceMapping'],
      mappings.map(({ eventSourceMappingId }) =>
        stack.formatArn({
          service: 'lambda',
          resource: 'event-source-mapping',
          resourceName: eventSourceMappingId,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      ),
    );
    this.#allow(['lambda:InvokeFunction'], [live.functionArn]);
    for (const each of switches.values()) {
      const arns = each.map(({ arn }) => arn);
      this.#allow([...(each[0]?.actions ?? [])], arns);
    }
    if (retryQueue !== undefined) {
      this.#allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage'], [retryQueue.queueArn]);
      retryQueue.encryptionMasterKey?.grant(this.function, 'kms:Decrypt');
    }
  }

  #allow(actions: string[], resourceArns: string[]): void {
    if (resourceArns.length === 0) return;
    Grant.addToPrincipal({ grantee: this.function, actions, resourceArns });
  }

  /** Allows sending reports and requests to the control function. */
  grantRequest(grantee: IGrantable): void {
    grantSend(this.queue, grantee);
  }
}

/** The intake switches by list. The list of rules is always present, even if it is empty. */
function intakeSwitches(origins: readonly Origin[]): Map<string, IntakeSwitch[]> {
  const lists = new Map<string, IntakeSwitch[]>([['rules', []]]);
  for (const { intake } of origins)
    if (intake !== undefined) lists.set(intake.list, [...(lists.get(intake.list) ?? []), intake]);
  return lists;
}
