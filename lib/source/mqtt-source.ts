import { Duration, Stack } from 'aws-cdk-lib';
import { Grant } from 'aws-cdk-lib/aws-iam';
import { Alias } from 'aws-cdk-lib/aws-lambda';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import {
  DEAD_LETTER_QUEUE_URL,
  INTAKE_PARAMETER,
  QUEUE_URL,
  SLOT_PARAMETERS,
  STREAM_NAME,
  TARGET_ARN,
} from '../../lambdas/core/environment.ts';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import type { DataFormat, PublisherDefaults } from '../../lambdas/core/event.ts';
import { INTAKE_ON } from '../../lambdas/core/intake.ts';
import { parseOptions } from '../../lambdas/core/options.ts';
import { mqttSourceOptions } from '../../lambdas/source/mqtt/config.ts';
import type { OptionAdvice } from '../advice.ts';
import { grantSend } from '../buffer/queue-grants.ts';
import type { MqttConnector } from '../connector/mqtt-connector.ts';
import { checkNetwork } from '../connector/network.ts';
import { denyInterfaces } from '../function-network.ts';
import {
  ANY,
  checkOption,
  checkProps,
  DURATION,
  listOf,
  MQTT_CONNECTOR,
  NUMBER,
  OBJECT,
  type OptionTypes,
  required,
  STRING,
} from '../props.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import { type DeployTimeEnvironment, moveTokens } from '../tokens.ts';
import { addStarts, digits, sessionFunction, slotParameter } from './mqtt-sessions.ts';
import { checkTopics, warnOfSharing } from './mqtt-topics.ts';
import type { Origin } from './origin.ts';
import type { ISource, SourceBinding } from './source.ts';

export interface MqttSourceProps {
  /**
   * Topic filters of the broker, such as `temp_hum/#`. Where two overlap, some brokers send a message once for each of them. Together
   * they have at most 1,750 bytes of JSON.
   */
  readonly topics: readonly string[];
  /**
   * Maximum QoS of the subscriptions. With 0, the broker keeps nothing while no session is connected.
   *
   * @default 1
   */
  readonly qos?: 0 | 1 | 2;
  /**
   * Name of a shared subscription, `$share/<group>/<filter>`: each message goes to one member of the group. Brokers differ in what
   * happens to the messages of a member that is gone: mosquitto keeps them for it until its session expires, HiveMQ and Artemis send
   * them to another member.
   *
   * @default - none: each session receives every message
   */
  readonly shareGroup?: string;
  /**
   * Number of connections, 1 to 16, each with a client id and a session of its own. More than one needs `shareGroup`.
   *
   * @default 1
   */
  readonly sessions?: number;
  /**
   * Maximum of messages that the broker may send without an acknowledgement, 1 to 65,535. A message is acknowledged once the buffer has
   * stored it, so that this number divided by the time of a write, about 20 ms, bounds the rate.
   *
   * @default 1000
   */
  readonly receiveMaximum?: number;
  /**
   * Time for which the broker keeps a session without a connection, at least a minute; MQTT 5 only.
   *
   * @default Duration.days(1)
   */
  readonly sessionExpiry?: Duration;
  /**
   * Format of the payloads, which decides `data.body` of the event: `json` is the JSON value, `text` the UTF-8 text, `binary` base64 of
   * the bytes.
   *
   * @default 'json'
   */
  readonly dataFormat?: DataFormat;
  /**
   * `username` of messages without an MQTT 5 user property of this name. A broker does not report the publisher.
   *
   * @default null
   */
  readonly defaults?: PublisherDefaults;
}

const OPTIONS: OptionTypes<MqttSourceProps> = {
  topics: required(listOf(STRING)),
  qos: NUMBER,
  shareGroup: STRING,
  sessions: NUMBER,
  receiveMaximum: NUMBER,
  sessionExpiry: DURATION,
  dataFormat: ANY,
  defaults: OBJECT,
};

const ADVICE: OptionAdvice = [
  [/^(topic|(topic)?filters?|remotetopic)$/, 'topics, a list of topic filters'],
  [/^(share|group|sharedsubscription)$/, 'shareGroup'],
  [/^poolsize$/, 'sessions, with shareGroup'],
  [/cleanstart|cleansession/, 'no value: the source always keeps its session'],
  [/^(receivemax|inflight)/, 'receiveMaximum'],
];

/**
 * Messages of an MQTT broker. No process runs all the time: an invocation of a function holds a session for up to 15 minutes, and hands
 * it over to the next one, which a schedule starts each minute, and a deployment at once. The broker keeps the session meanwhile. A
 * message is acknowledged once the task's buffer has stored it.
 *
 * @throws InvalidOptionError at synth for options that could not work once deployed.
 */
export class MqttSource implements ISource {
  readonly spec: object;
  readonly workerOptions: Readonly<Record<string, unknown>>;
  readonly advice = ADVICE;
  readonly #connector: MqttConnector;
  readonly #props: MqttSourceProps;

  constructor(connector: MqttConnector, props: MqttSourceProps) {
    checkOption('MqttSource.connector', connector, required(MQTT_CONNECTOR));
    checkOption('MqttSource.props', props, required(OBJECT));
    checkOption('MqttSource.topics', props.topics, required(listOf(STRING)));
    const { topics, dataFormat, defaults } = props;
    this.#connector = connector;
    this.#props = props;
    this.workerOptions = { dataFormat, defaults };
    this.spec = {
      type: 'mqtt',
      filters: topics,
      ...(dataFormat !== undefined && { dataFormat }),
      ...(defaults !== undefined && { defaults }),
    };
  }

  bind(scope: Construct, binding: SourceBinding): readonly Origin[] {
    const { option, inlet, deadLetterQueue, description, removalPolicy, task } = binding;
    checkProps(option, this.#props, OPTIONS, [...ADVICE, ...TASK_ADVICE]);
    const { topics, qos, shareGroup, sessions = 1, receiveMaximum, sessionExpiry } = this.#props;
    const connector = this.#connector;
    const write = inlet.forFunctions;
    if (write === undefined)
      throw new InvalidOptionError(
        `${option.replace(/\.source$/, '')}.buffer`,
        described('no buffer'),
        'a QueueBuffer or a StreamBuffer',
      );
    if (connector.staticClientIds !== undefined)
      throw new InvalidOptionError(
        option,
        described('a connector with staticClientIds'),
        'a connector without: the sessions of a source have client ids that stay the same anyway',
      );
    if (sessions > 1 && shareGroup === undefined)
      throw new InvalidOptionError(
        `${option}.sessions`,
        sessions,
        '1 without shareGroup: each session would receive every message',
      );
    checkTopics(scope, option, this.#props);
    if (shareGroup !== undefined) warnOfSharing(scope, option, shareGroup, connector.protocolVersion);
    const deployTime: DeployTimeEnvironment = {};
    const spec = parseOptions(
      mqttSourceOptions,
      moveTokens(
        {
          type: 'mqtt-source',
          task,
          ...connector.spec,
          clientIdDigits: digits(`${Stack.of(scope).stackName}/${scope.node.path}`),
          filters: topics,
          ...(qos !== undefined && { qos }),
          ...(shareGroup !== undefined && { shareGroup }),
          sessions,
          ...(receiveMaximum !== undefined && { receiveMaximum }),
          ...(sessionExpiry && { sessionExpirySeconds: sessionExpiry.toSeconds() }),
        },
        new Set(['server']),
        option,
        deployTime,
      ),
      option,
    );
    const slots = Array.from({ length: sessions }, (_, index) => slotParameter(scope, index + 1));
    const intake = new StringParameter(scope, 'Intake', {
      description: `Stops the sessions of an Outflow source: ${INTAKE_ON} or stopped`,
      stringValue: INTAKE_ON,
    });
    const target = write.environment[QUEUE_URL] ?? write.environment[STREAM_NAME] ?? '';
    const environment = {
      ...deployTime,
      ...connector.environment,
      ...write.environment,
      [DEAD_LETTER_QUEUE_URL]: deadLetterQueue.queueUrl,
      [SLOT_PARAMETERS]: Stack.of(scope).toJsonString(slots.map(({ parameterName }) => parameterName)),
      [INTAKE_PARAMETER]: intake.parameterName,
      [TARGET_ARN]: target,
    };
    const fn = sessionFunction(scope, {
      spec,
      environment,
      description,
      removalPolicy,
      slots,
      network: connector.network,
    });
    const live = new Alias(scope, 'SessionsLive', { aliasName: 'live', version: fn.currentVersion });
    live.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.seconds(60) });
    if (connector.network !== undefined) {
      checkNetwork(scope, option, connector.network, [
        'sqs',
        'ssm',
        ...(write.environment[STREAM_NAME] ? ['kinesis-streams'] : []),
      ]);
      denyInterfaces(fn, fn.role!, fn);
    }
    write.grantWrite(fn);
    grantSend(deadLetterQueue, fn);
    connector.grantConnect(fn);
    const slotArns = slots.map(({ parameterArn }) => parameterArn);
    Grant.addToPrincipal({
      grantee: fn,
      actions: ['ssm:GetParameters'],
      resourceArns: [...slotArns, intake.parameterArn],
    });
    Grant.addToPrincipal({ grantee: fn, actions: ['ssm:PutParameter'], resourceArns: slotArns });
    addStarts(scope, live, description, sessions);
    return [
      {
        topicFilters: topics,
        arn: fn.functionArn,
        function: fn,
        intake: {
          list: 'sources',
          name: intake.parameterName,
          arn: intake.parameterArn,
          actions: ['ssm:GetParameter', 'ssm:PutParameter'],
        },
      },
    ];
  }
}
