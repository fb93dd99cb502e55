import { Construct } from 'constructs';
import { described, InvalidOptionError } from '../lambdas/core/errors.ts';
import { type OptionAdvice, refuseUnknown } from './advice.ts';

/** What an option takes: the check that runs before its value is used. */
export interface OptionType {
  /** The value wanted, for errors. */
  readonly expected: string;
  is(value: unknown): boolean;
  /** Whether the option must be given. @default false */
  readonly required?: boolean;
}

/** The options of a props object. */
export type OptionTypes<Props extends object> = Readonly<Record<keyof Props, OptionType>>;

/** A construct has the property of its interface; copies of aws-cdk-lib have classes of their own, so that none is compared. */
const having = (property: string, expected: string): OptionType => ({
  expected,
  is: (value) => typeof value === 'object' && value !== null && property in value,
});

const ofType = (type: 'string' | 'number' | 'boolean', expected: string): OptionType => ({
  expected,
  is: (value) => typeof value === type,
});

/** A value that another check refuses. */
export const ANY: OptionType = { expected: 'a value', is: () => true };
export const BOOLEAN = ofType('boolean', 'true or false');
export const NUMBER = ofType('number', 'a number');
export const STRING = ofType('string', 'a string');
export const OBJECT: OptionType = {
  expected: 'an object',
  is: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};
export const DURATION = having('toMilliseconds', 'a Duration, such as Duration.seconds(3)');
export const QUEUE = having('queueArn', 'a queue, such as new Queue(this, id)');
export const STREAM = having('streamArn', 'a stream, such as new Stream(this, id)');
export const KEY = having('keyArn', 'a key, such as new Key(this, id)');
export const LOG_GROUP = having('logGroupArn', 'a log group, such as new LogGroup(this, id)');
export const TOPIC = having('topicArn', 'an SNS topic, such as new Topic(this, id)');
export const ROLE = having('roleArn', 'a role, such as new Role(this, id, { assumedBy })');
export const ALARM_ACTION = having('bind', 'an alarm action, such as new SnsAction(topic)');
export const SECRET = having('secretArn', 'a secret, such as new Secret(this, id)');
export const VPC = having('vpcId', 'a VPC, such as new Vpc(this, id)');
export const SECURITY_GROUP = having('securityGroupId', 'a security group');
export const SOURCE: OptionType = {
  expected: "a source, such as new IotTopicSource('devices/#')",
  is: (value) => having('bind', '').is(value) && having('spec', '').is(value) && !having('routed', '').is(value),
};
export const BUFFER: OptionType = {
  expected: 'a buffer, such as new QueueBuffer()',
  is: (value) => having('bind', '').is(value) && !having('routed', '').is(value),
};
export const SINK = having(
  'routed',
  "a sink, such as new KinesisSink(stream, { partitionKey: '${clientid}' }), new RocketMqSink(connector, { topic }), new MqttSink(connector, { topic }) or new RepublishSink({ topic })",
);
export const MQTT_CONNECTOR = having(
  'poolSize',
  "a connector: new MqttConnector(this, id, { server: 'mqtts://host:port' })",
);
export const CONNECTOR: OptionType = {
  expected: "a connector: new RocketMqConnector(this, id, { nameServers: ['host:port'] })",
  is: (value) => having('grantConnect', '').is(value) && !MQTT_CONNECTOR.is(value),
};
export const RETRY_POLICY = having(
  'toSpec',
  'a retry policy: RetryPolicy.backoff(), .exponentialDecay(), .none() or .custom({ steps })',
);

export function listOf({ expected, is }: OptionType): OptionType {
  return { expected: `a list, each ${expected}`, is: (value) => Array.isArray(value) && value.every(is) };
}

export function oneOf(...values: readonly string[]): OptionType {
  return { expected: `one of ${values.join(', ')}`, is: (value) => values.includes(value as string) };
}

export function either(...types: readonly OptionType[]): OptionType {
  return {
    expected: types.map(({ expected }) => expected).join(', or '),
    is: (value) => types.some((type) => type.is(value)),
  };
}

export function required(type: OptionType): OptionType {
  return { ...type, required: true };
}

/**
 * Checks a props object before its values are used: whether every option exists, and whether its value has the type that the
 * option takes. Plain JavaScript and values of type `any` pass the compiler.
 *
 * @param path Path of the options, for errors.
 * @throws InvalidOptionError
 */
export function checkProps<Props extends object>(
  path: string,
  props: unknown,
  types: OptionTypes<Props>,
  advice: OptionAdvice = [],
): asserts props is Props {
  if (!OBJECT.is(props)) throw new InvalidOptionError(path, shown(props), 'an object of options');
  refuseUnknown(path, props as object, Object.keys(types), advice);
  for (const [name, type] of Object.entries<OptionType>(types))
    checkOption(`${path}.${name}`, (props as never)[name], type);
}

/** @throws InvalidOptionError for a value that an option does not take. */
export function checkOption(option: string, value: unknown, { expected, is, required = false }: OptionType): void {
  if (value === undefined ? required : !is(value)) throw new InvalidOptionError(option, shown(value), expected);
}

/** A value for an error: constructs and other objects of a class have no JSON. */
function shown(value: unknown): unknown {
  if (Construct.isConstruct(value)) return described(`the ${className(value)} ${value.node.path}`);
  const name = typeof value === 'object' && value !== null ? className(value) : undefined;
  return name === undefined || name === 'Object' || name === 'Array' ? value : described(`a ${name}`);
}

/** The bundler of aws-cdk-lib numbers some of its classes. */
function className(value: object): string | undefined {
  return value.constructor?.name.replace(/\d+$/, '');
}
