import { ArnFormat, Stack, Token } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IStream } from 'aws-cdk-lib/aws-kinesis';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import '../../lambdas/core/jsonpath/every-path.ts';
import { isJsonPath } from '../../lambdas/core/jsonpath/expression.ts';
import { KINESIS_ROUTED, kinesisOptions } from '../../lambdas/deliver/kinesis/config.ts';
import type { OptionAdvice } from '../advice.ts';
import { ruleOnlyStreamInlet } from '../buffer/inlet.ts';
import { checkOption, either, listOf, OBJECT, required, STREAM, STRING } from '../props.ts';
import type { Route } from '../route.ts';
import { checkEnvironment } from '../stack-environment.ts';
import { useStream } from '../stream-use.ts';
import { nativeTemplate } from './native-template.ts';
import type { ISink, SinkConfig } from './sink.ts';

export interface KinesisSinkProps {
  /**
   * Template or JSONPath of the partition key, which gives 1 to 256 characters (Amazon Kinesis Data Streams, "PutRecords"). A message for which
   * it renders nothing goes to the dead-letter queue.
   */
  readonly partitionKey: string;
  /**
   * The record's data: a template, a JSONPath, or an object that becomes JSON; each of its values is a template, a JSONPath or a
   * constant. `${payload}` forwards the original bytes.
   *
   * @default - the whole rule output as JSON
   */
  readonly payload?: string | Readonly<Record<string, string | number | boolean | null>>;
  /**
   * Template or JSONPath of the explicit hash key, a decimal number from 0 to 2^128 - 1 that chooses the shard.
   *
   * @default - the hash of the partition key
   */
  readonly explicitHashKey?: string;
  /**
   * The streams that a stream name with placeholders, of the sink or of a route, may render. The worker may write to these and to the
   * streams that are named without placeholders.
   *
   * @default - required with placeholders in a stream name, otherwise none
   */
  readonly streams?: readonly IStream[];
  /**
   * Maximum of records per PutRecords call, 1 to 500.
   *
   * @default 500
   */
  readonly maxRecords?: number;
  /**
   * Maximum of bytes per PutRecords call, with partition keys, 1 KiB to 10 MiB.
   *
   * @default 10485760
   */
  readonly maxRequestBytes?: number;
  /**
   * Maximum of bytes per record, with its partition key, up to 10 MiB. Larger records go to the dead-letter queue. A stream accepts
   * more than 1 MiB only if its maximum record size is raised.
   *
   * @default 1048576
   */
  readonly maxRecordBytes?: number;
}

/** Names in EMQX's Kinesis data bridge. */
const ADVICE: OptionAdvice = [
  [/^(payload)?template$/, 'payload, a template; a blank one forwards the whole rule output'],
  [/^(streamname|endpoint|endpointurl)$/, "the sink's first argument: the stream, or its name"],
];

/** Options of a {@link KinesisSink} that a route can override. */
export interface KinesisRouteOptions
  extends Partial<Pick<KinesisSinkProps, 'partitionKey' | 'explicitHashKey' | 'payload'>> {
  /**
   * A stream of the stack's account and region, or its name; a name with `${…}` placeholders needs the sink's `streams`.
   *
   * @default - the sink's stream
   */
  readonly stream?: IStream | string;
}

/**
 * Amazon Kinesis Data Streams. The stream is a construct, a name, or a name with `${…}` placeholders; it is in the stack's account and
 * region.
 */
export class KinesisSink implements ISink<KinesisRouteOptions> {
  readonly type = 'kinesis';
  readonly options = kinesisOptions;
  readonly spec: object;
  readonly routed: readonly (keyof KinesisRouteOptions)[] = KINESIS_ROUTED;
  readonly deployTime = ['stream'];
  readonly advice = ADVICE;
  readonly #stream: IStream | string;
  readonly #props: KinesisSinkProps;

  constructor(stream: IStream | string, props: KinesisSinkProps) {
    checkOption('KinesisSink.stream', stream, required(either(STRING, STREAM)));
    checkOption('KinesisSink.props', props, required(OBJECT));
    checkOption('KinesisSink.streams', props.streams, listOf(STREAM));
    const { streams: _, ...options } = props;
    this.#stream = stream;
    this.#props = props;
    this.spec = { type: 'kinesis', stream: nameOf(stream), ...options };
  }

  routeSpec(overrides: KinesisRouteOptions): object {
    const { stream } = overrides;
    return stream === undefined ? overrides : { ...overrides, stream: nameOf(stream) };
  }

  bind(scope: Construct, routes: readonly Route<KinesisRouteOptions>[]): SinkConfig {
    const { streams = [] } = this.#props;
    const task = scope.node.id;
    const option = `${task}.sink.streams`;
    if (isStream(this.#stream)) checkEnvironment(scope, `${task}.sink.stream`, 'a stream', this.#stream);
    for (const [i, { sink }] of routes.entries()) {
      const { stream } = sink;
      if (isStream(stream)) checkEnvironment(scope, `${task}.route.routes.${i}.sink.stream`, 'a stream', stream);
    }
    for (const [i, stream] of streams.entries()) checkEnvironment(scope, `${option}.${i}`, 'a stream', stream);
    const target = { stream: this.#stream };
    const named = new Map(
      (routes.length === 0 ? [{ sink: target }] : routes).map(({ sink }) => {
        const { stream } = { ...target, ...sink };
        return [nameOf(stream), stream];
      }),
    );
    const template = [...named.keys()].find(isTemplate);
    if (template !== undefined && streams.length === 0)
      throw new InvalidOptionError(option, undefined, `the streams that '${template}' may render`);
    if (template === undefined && streams.length > 0 && !routes.some(({ sink }) => Object.hasOwn(sink, 'stream')))
      throw new InvalidOptionError(option, described('a list'), 'none without placeholders in a stream name');
    const statics = [...named].filter(([name]) => !isTemplate(name));
    const writable = statics.map(([name, stream]) =>
      isStream(stream) ? stream : { streamArn: streamArn(scope, name) },
    );
    const targetArn = named.size === 1 && template === undefined ? writable[0]!.streamArn : streamArn(scope, '*');
    for (const stream of [...writable, ...streams]) useStream(scope, 'sink', `${task}.sink.stream`, stream);
    return this.#config(targetArn, [...writable, ...streams]);
  }

  #config(
    targetArn: string,
    streams: readonly (IStream | { streamArn: string; encryptionKey?: undefined })[],
  ): SinkConfig {
    const grant = (grantee: IGrantable, action: string) => {
      Grant.addToPrincipal({ grantee, actions: [action], resourceArns: streams.map((stream) => stream.streamArn) });
      for (const { encryptionKey } of streams) encryptionKey?.grant(grantee, 'kms:GenerateDataKey');
    };
    return {
      targetArn,
      services: ['kinesis-streams'],
      grantDeliver: (worker) => {
        grant(worker, 'kinesis:PutRecords');
        grant(worker, 'kinesis:DescribeStreamSummary');
      },
      nativeInlet: (option) => {
        const { payload, partitionKey, explicitHashKey } = this.#props;
        if (payload !== '${payload}') {
          throw new InvalidOptionError(
            `${option}.payload`,
            payload,
            '${payload}: without a buffer, AWS IoT Core forwards the payload unchanged',
          );
        }
        if (explicitHashKey !== undefined)
          throw new InvalidOptionError(`${option}.explicitHashKey`, explicitHashKey, 'none without a buffer');
        const streamName = nameOf(this.#stream);
        if (targetArn.endsWith('/*'))
          throw new InvalidOptionError(`${option}.stream`, streamName, 'one stream without a buffer');
        const stream = isStream(this.#stream) ? this.#stream : { streamName, streamArn: targetArn };
        return ruleOnlyStreamInlet(
          stream,
          () => 'SELECT *',
          (eventType) => nativeTemplate(partitionKey, `${option}.partitionKey`, eventType),
        );
      },
    };
  }
}

function isStream(stream: unknown): stream is IStream {
  return typeof stream === 'object' && stream !== null;
}

function nameOf(stream: IStream | string): string {
  return isStream(stream) ? stream.streamName : stream;
}

function isTemplate(name: string): boolean {
  return !Token.isUnresolved(name) && (name.includes('${') || isJsonPath(name));
}

function streamArn(scope: Construct, resourceName: string): string {
  return Stack.of(scope).formatArn({
    service: 'kinesis',
    resource: 'stream',
    resourceName,
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  });
}
