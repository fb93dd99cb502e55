import { Annotations, CfnResource, Fn, Reference, Stack, Token, Tokenization } from 'aws-cdk-lib';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** AWS Lambda, "PublishVersion": Description. */
const MAX_DESCRIPTION = 256;
/** Amazon Kinesis, "CreateStream": StreamName. Other names are rarely longer. */
const LONGEST_NAME = 128;
/** Room for a value that is no resource's name, such as that of a parameter: usually an address, a topic or a short name. */
const OTHER_VALUE = 64;
/** Amazon SQS, "CreateQueue": QueueName. */
const LONGEST_QUEUE_NAME = 80;
/** CloudFormation names a resource `<stack>-<logical id>-<12 characters>`; a secret's ARN ends in 7 more. */
const AROUND_LOGICAL_ID = 21;

/**
 * The description of a published version: the values of the environment that are only known at deployment. A version keeps the
 * environment that it was published with. CloudFormation publishes another one only when a property of the version changes, and
 * the template stays the same when a referenced resource is replaced (AWS CloudFormation, "AWS::Lambda::Version"). With the
 * values in the description, a replaced stream or secret reaches the alias. The parts that the task makes are left out: the
 * template never names them, so that only another logical id replaces them.
 *
 * @param parts Constructs whose resources have generated names.
 * @returns undefined if there are no such values.
 */
export function versionIdentity(
  scope: Construct,
  environment: Readonly<Record<string, string>>,
  parts: readonly Construct[],
): string | undefined {
  const stack = Stack.of(scope);
  const values = new Map<string, Value>();
  for (const token of Object.values(environment).flatMap((text) => Tokenization.reverseString(text).tokens)) {
    const isPart = Reference.isReference(token) && parts.some((part) => token.target.node.scopes.includes(part));
    const resolved = JSON.stringify(stack.resolve(token));
    if (!isPart && !resolved.startsWith('{"Ref":"AWS::') && !values.has(resolved))
      values.set(resolved, shortest(token));
  }
  // A resource's ARN changes with its name.
  for (const resolved of values.keys()) {
    const [, id] = /^\{"Fn::GetAtt":\["([^"]+)","Arn"\]\}$/.exec(resolved) ?? [];
    if (id !== undefined && values.has(`{"Ref":"${id}"}`)) values.delete(resolved);
  }
  const kept: string[] = [];
  let length = 0;
  for (const { text, longest } of [...values.values()].sort((a, b) => a.longest - b.longest)) {
    length += longest + 1;
    if (length <= MAX_DESCRIPTION + 1) kept.push(text);
  }
  if (kept.length < values.size)
    Annotations.of(scope).addWarningV2(
      'mqtt-outflow:versionIdentity',
      `the description of a Lambda version has room for ${kept.length} of the ${values.size} values that the worker takes from ` +
        'other resources; after replacing one of the others, change the description of the task, so that a new version is published',
    );
  return kept.length === 0 ? undefined : kept.join(' ');
}

interface Value {
  readonly text: string;
  /** Upper bound of the characters at deployment. */
  readonly longest: number;
}

/** A queue's URL and a secret's ARN repeat the account and the region, so that only their last parts are kept. */
function shortest(token: ReturnType<typeof Tokenization.reverseString>['tokens'][number]): Value {
  const text = Token.asString(token);
  if (!Reference.isReference(token) || !CfnResource.isCfnResource(token.target)) return { text, longest: OTHER_VALUE };
  const { target } = token;
  const longest = Math.min(nameLength(token), LONGEST_NAME);
  if (CfnQueue.isCfnQueue(target) && token.displayName === 'Ref')
    return { text: Fn.select(4, Fn.split('/', text)), longest: Math.min(longest, LONGEST_QUEUE_NAME) };
  if (CfnSecret.isCfnSecret(target) && token.displayName === 'Ref')
    return { text: Fn.select(6, Fn.split(':', text)), longest };
  return { text, longest };
}

function nameLength({ target }: Reference): number {
  const { stackName } = Stack.of(target);
  const named = Token.isUnresolved(stackName) ? LONGEST_NAME : stackName.length;
  return named + target.node.path.replaceAll('/', '').length + AROUND_LOGICAL_ID;
}
