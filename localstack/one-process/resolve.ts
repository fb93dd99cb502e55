import type { Resource, Stack } from './assembly.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';

/** Resolves the intrinsic functions of a template, with the names of resources in this process. */
export type Resolve = (value: unknown) => unknown;

/** The physical name of a resource, and the values of `Ref` and `Fn::GetAtt` with `Arn`. */
export interface Identity {
  readonly name: string;
  readonly ref: string;
  readonly arn: string;
}

export type Identify = (stack: string, logicalId: string, resource: Resource | undefined) => Identity;

/**
 * @param identify Names the resources. @default - the names in this process
 * @throws when the value refers to something that only exists on AWS
 */
export function resolver(stack: Stack, all: readonly Stack[], identify: Identify = identity): Resolve {
  const resources = stack.template.Resources ?? {};

  function resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.filter((element) => !isNoValue(element)).map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const [[key, argument] = ['', undefined], ...more] = Object.entries(value);
    const intrinsic = more.length === 0 && Object.hasOwn(INTRINSICS, key) ? INTRINSICS[key] : undefined;
    if (intrinsic !== undefined) return intrinsic(argument);
    const given = Object.entries(value).filter(([, inner]) => !isNoValue(inner));
    return Object.fromEntries(given.map(([name, inner]) => [name, resolve(inner)]));
  }

  function parameter(name: string): unknown {
    const given = stack.parent && passed(stack.parent)[name];
    if (stack.parent !== undefined && given !== undefined) return resolver(stack.parent.stack, all, identify)(given);
    const { Default: value } = stack.template.Parameters![name]!;
    if (value === undefined)
      throw new Error(
        `${stack.name}: the parameter ${name} has no default. Give it a value: --parameters ${name}=<value>`,
      );
    return value;
  }

  /** The output of a nested stack. */
  function output(logicalId: string, name: string): unknown {
    const nested = all.find(({ parent }) => parent?.stack.name === stack.name && parent.logicalId === logicalId);
    const found = nested?.template.Outputs?.[name];
    if (found === undefined) throw new Error(`${stack.name}: ${logicalId} has no output ${name} in this assembly`);
    return resolver(nested!, all, identify)(found.Value);
  }

  const INTRINSICS: Readonly<Record<string, (argument: unknown) => unknown>> = {
    Ref: (name) => {
      const pseudo = PSEUDO[name as string];
      if (pseudo !== undefined) return pseudo;
      if (name === 'AWS::StackName') return stack.name;
      if (Object.hasOwn(stack.template.Parameters ?? {}, name as string)) return parameter(name as string);
      return identify(stack.name, name as string, resources[name as string]).ref;
    },
    'Fn::GetAtt': (argument) => {
      const [name, ...rest] = typeof argument === 'string' ? argument.split('.') : (argument as string[]);
      const attribute = rest.join('.');
      if (attribute.startsWith('Outputs.')) return output(name!, attribute.slice('Outputs.'.length));
      const { arn } = identify(stack.name, name!, resources[name!]);
      if (attribute === 'Arn') return arn;
      if (attribute === 'QueueName') return arn.split(':').at(-1);
      throw new Error(`${stack.name}: ${name}.${attribute} has a value only on AWS`);
    },
    'Fn::Join': (argument) => {
      const [separator, parts] = argument as [string, unknown[]];
      return parts.map(resolve).join(separator);
    },
    'Fn::Select': (argument) => {
      const [index, list] = argument as [number | string, unknown];
      return (resolve(list) as unknown[])[Number(index)];
    },
    'Fn::Split': (argument) => {
      const [separator, text] = argument as [string, unknown];
      return String(resolve(text)).split(separator);
    },
    'Fn::Sub': (argument) => {
      if (typeof argument !== 'string') throw new Error(`${stack.name}: Fn::Sub with a variable map is not supported`);
      return argument.replace(/\$\{([^!}][^}]*)\}/g, (_, name: string) =>
        String(resolve(name.includes('.') ? { 'Fn::GetAtt': name } : { Ref: name })),
      );
    },
    'Fn::ImportValue': (argument) => {
      const wanted = resolve(argument);
      for (const other of all) {
        for (const { Export, Value } of Object.values(other.template.Outputs ?? {})) {
          if (Export !== undefined && resolver(other, all, identify)(Export.Name) === wanted) {
            return resolver(other, all, identify)(Value);
          }
        }
      }
      stack.notes.add(`no stack of this app exports ${String(wanted)}: that name takes the place of its value`);
      return wanted;
    },
  };
  return resolve;
}

/** The parameters that a stack passes to a nested stack. */
function passed({ stack, logicalId }: NonNullable<Stack['parent']>): Readonly<Record<string, unknown>> {
  return (stack.template.Resources![logicalId]!.Properties?.['Parameters'] ?? {}) as Record<string, unknown>;
}

/** The pseudo parameter that removes a property (AWS CloudFormation, "Pseudo parameters reference"). */
function isNoValue(value: unknown): boolean {
  return (value as { Ref?: unknown } | null | undefined)?.Ref === 'AWS::NoValue';
}

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
};

const NAMES: Readonly<
  Record<string, { property: string; arn: (name: string) => string; ref?: (name: string) => string }>
> = {
  'AWS::SQS::Queue': {
    property: 'QueueName',
    arn: queueArn,
    ref: queueUrl,
  },
  'AWS::SSM::Parameter': { property: 'Name', arn: (name) => `arn:aws:ssm:${REGION}:${ACCOUNT}:parameter/${name}` },
  'AWS::Kinesis::Stream': { property: 'Name', arn: (name) => `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/${name}` },
  'AWS::SecretsManager::Secret': {
    property: 'Name',
    arn: secretArn,
    ref: secretArn,
  },
  'AWS::IoT::TopicRule': { property: 'RuleName', arn: (name) => `arn:aws:iot:${REGION}:${ACCOUNT}:rule/${name}` },
  'AWS::IAM::Role': { property: 'RoleName', arn: (name) => `arn:aws:iam::${ACCOUNT}:role/${name}` },
  'AWS::Lambda::Function': {
    property: 'FunctionName',
    arn: (name) => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`,
  },
};

export function queueArn(name: string): string {
  return `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
}

export function queueUrl(name: string): string {
  return `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${name}`;
}

function secretArn(name: string): string {
  return `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}`;
}

/** Names a resource in this process. @throws for a resource type that this process does not run. */
export function identity(stack: string, logicalId: string, resource: Resource | undefined): Identity {
  const naming = resource === undefined ? undefined : NAMES[resource.Type];
  if (resource === undefined || naming === undefined) {
    throw new Error(`${stack}: ${logicalId} (${resource?.Type ?? 'not in the template'}) exists only on AWS`);
  }
  const given = resource.Properties?.[naming.property];
  const separator = resource.Type === 'AWS::IoT::TopicRule' ? '_' : '-';
  const name = typeof given === 'string' ? given : `${stack}${separator}${logicalId}`;
  return { name, ref: naming.ref?.(name) ?? name, arn: naming.arn(name) };
}
