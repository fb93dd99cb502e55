import { Annotations, ArnFormat, Stack, Token, Validations } from 'aws-cdk-lib';
import { Grant } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import '../../lambdas/core/jsonpath/every-path.ts';
import { literalOfExpression } from '../../lambdas/core/jsonpath/expression.ts';
import { literalStart, MAX_QOS, REPUBLISH_ROUTED, republishOptions } from '../../lambdas/deliver/republish/config.ts';
import type { OptionAdvice } from '../advice.ts';
import { checkOption, OBJECT, required } from '../props.ts';
import type { Route } from '../route.ts';
import { type MqttMessageProps, mqttMessageSpec } from './mqtt-message.ts';
import type { ISink, SinkConfig } from './sink.ts';
import { checkTopicList, namedTopics } from './topic-list.ts';

export interface RepublishSinkProps extends MqttMessageProps {
  /**
   * Topic of AWS IoT Core: a template such as `sub/${topic}`, or a JSONPath. It has at most 256 bytes and 7 slashes, no wildcards, and
   * no `$` at its beginning. A message that renders another topic goes to the dead-letter queue with INVALID_TARGET.
   */
  readonly topic: string;
  /**
   * The topics that a template or JSONPath in `topic`, of the sink or of a route, may render: names, and prefixes that end with `*`,
   * such as `plant/*`. The worker may publish to these alone.
   *
   * @default - required if a topic begins with a placeholder; otherwise all topics that begin as the template does
   */
  readonly topics?: readonly string[];
  /**
   * How often a message may be republished, by all tasks together, 1 to 1,000. A message that comes back more often is in a loop, and goes
   * to the dead-letter queue with REJECTED. Messages carry the count in the user property `outflow-hops`.
   *
   * @default 8
   */
  readonly maxHops?: number;
  /**
   * Maximum of concurrent calls per invocation, 1 to 1,000.
   *
   * @default 32
   */
  readonly inflightWindow?: number;
}

/** Options of a {@link RepublishSink} that a route can override. */
export type RepublishRouteOptions = Partial<MqttMessageProps & Pick<RepublishSinkProps, 'topic'>>;

/** Names in EMQX's Republish action. */
const ADVICE: OptionAdvice = [
  [/^(message|payload)?template$/, 'payload, a template; a blank one forwards the whole rule output'],
  [/^(target|local)topic$/, 'topic of the sink'],
  [/^(mqtt|pub(lish)?)?properties$/, 'contentType, responseTopic, correlationData, messageExpiry and others'],
  [/^(max)?inflight/, 'inflightWindow of the sink'],
];

/**
 * AWS IoT Core of the stack's account and region, by its Publish API: the action Message Republishing of EMQX. AWS IoT Core has QoS 0 and
 * 1, so that a message with QoS 2 is published with QoS 1.
 */
export class RepublishSink implements ISink<RepublishRouteOptions> {
  readonly type = 'republish';
  readonly options = republishOptions;
  readonly spec: object;
  readonly routed: readonly string[] = REPUBLISH_ROUTED;
  readonly deployTime = ['topic'];
  readonly advice = ADVICE;
  readonly #props: RepublishSinkProps;

  constructor(props: RepublishSinkProps) {
    checkOption('RepublishSink.props', props, required(OBJECT));
    this.#props = props;
    this.spec = { type: 'republish', ...mqttMessageSpec('RepublishSink', props) };
  }

  routeSpec(overrides: RepublishRouteOptions): object {
    return mqttMessageSpec('RepublishSink', overrides);
  }

  bind(scope: Construct, routes: readonly Route<RepublishRouteOptions>[]): SinkConfig {
    const { topic, topics, retain = false } = this.#props;
    const named = namedTopics(topic, routes);
    checkTopicList(`${scope.node.id}.sink.topics`, topics, named, routes);
    this.#warnOfQos(scope, routes);
    const mayRetain = [retain, ...routes.map(({ sink }) => sink.retain)].some(
      (one) => one !== undefined && `${one}` !== 'false',
    );
    const { rendered } = named;
    // Synth cannot check a topic for loops that is only known at deployment; the count of hops ends those.
    const literal = named.literal.filter((one) => !Token.isUnresolved(one)).map((one) => literalOfExpression(one)!);
    const resources = new Set([
      ...literal.map(inArn),
      ...named.literal.filter((one) => Token.isUnresolved(one)),
      ...(rendered.length > 0 && topics !== undefined ? topics.map(prefixInArn) : []),
      ...(topics === undefined ? rendered.map((one) => `${inArn(literalStart(one))}*`) : []),
    ]);
    const arnOf = (resourceName: string) =>
      Stack.of(scope).formatArn({
        service: 'iot',
        resource: 'topic',
        resourceName,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      });
    const resourceArns = [...resources].map(arnOf);
    for (const arn of resourceArns) if (arn.endsWith('*')) acknowledgePrefix(scope, arn);
    return {
      targetArn: resources.size === 1 ? resourceArns[0]! : arnOf('*'),
      services: ['iot.data'],
      writesTo: [
        ...literal,
        ...rendered.flatMap((one) =>
          literalStart(one) === '' ? topics!.map((listed) => listed.replace(/\*$/, '#')) : [one],
        ),
      ],
      grantDeliver(grantee) {
        // The connectivity test reads a retained message, which publishes nothing.
        const actions = ['iot:Publish', 'iot:GetRetainedMessage'];
        Grant.addToPrincipal({
          grantee,
          actions: mayRetain ? [...actions, 'iot:RetainPublish'] : actions,
          resourceArns,
        });
      },
    };
  }

  #warnOfQos(scope: Construct, routes: readonly Route<RepublishRouteOptions>[]): void {
    const options = {
      'sink.qos': this.#props.qos,
      ...Object.fromEntries(routes.map(({ sink }, i) => [`route.routes.${i}.sink.qos`, sink.qos])),
    };
    for (const [option, qos] of Object.entries(options))
      if (Number(qos) > MAX_QOS)
        Annotations.of(scope).addWarningV2(
          `mqtt-outflow:republishQos:${option}`,
          `${option}: got ${qos}; AWS IoT Core has QoS 0 and 1, so the messages are published with QoS 1`,
        );
  }
}

/** Acknowledges the wildcard in the worker's policy, with its reason, for rule packs such as cdk-nag. */
function acknowledgePrefix(scope: Construct, arn: string): void {
  const resolved: string | { readonly 'Fn::Join': readonly [string, readonly (string | { readonly Ref: string })[]] } =
    Stack.of(scope).resolve(arn);
  const parts = typeof resolved === 'string' ? [resolved] : resolved['Fn::Join'][1];
  const text = parts.map((part) => (typeof part === 'string' ? part : `<${part.Ref}>`)).join('');
  Validations.of(scope).acknowledge({
    id: `AwsSolutions::AwsSolutions-IAM5[Resource::${text}]`,
    reason:
      'Messages name the topic, and the worker may publish to the topics that begin as the template or the list does.',
  });
}

/** A topic in a resource of a policy, where `*`, `?` and `$` have a meaning (AWS IAM, "Policy variables": special characters). */
function inArn(topic: string): string {
  return topic.replace(/[*?$]/g, (character) => `\${${character}}`);
}

function prefixInArn(topic: string): string {
  return topic.endsWith('*') ? `${inArn(topic.slice(0, -1))}*` : inArn(topic);
}
