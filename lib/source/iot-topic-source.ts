import type { Construct } from 'constructs';
import type { DataFormat, PublisherDefaults } from '../../lambdas/core/event.ts';
import { type OptionAdvice, refuseUnknown } from '../advice.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { Origin } from './origin.ts';
import { publishRules, withoutCovered } from './rule-sql.ts';
import type { ISource, SourceBinding } from './source.ts';
import { addTopicRules } from './topic-rules.ts';

export interface IotTopicSourceProps {
  /**
   * What payloads hold, and so what `data.body` of the event is (row D6): a JSON value, UTF-8 text, or base64 of the bytes.
   *
   * @default 'json'
   */
  readonly dataFormat?: DataFormat;
  /**
   * `username`, `qos` and `retain` of messages that do not tell them: rules cannot see them, so they are taken from MQTT 5
   * user properties of those names, and else from here (rows B15, C25, C26).
   *
   * @default null for each
   */
  readonly defaults?: PublisherDefaults;
}

const OPTIONS = Object.keys({ dataFormat: true, defaults: true } satisfies Record<keyof IotTopicSourceProps, true>);

const ADVICE: OptionAdvice = [
  [/^(topics?|(topic)?filters?)$/, "the source's first argument: a topic filter, or several"],
  [/^(raw)?sql$/, "a topic filter in place of FROM, and the task's filter in place of WHERE"],
  [/^qos$/, 'nothing: topic rules take messages of every QoS; defaults.qos is for messages that do not state theirs'],
  [/^(payload)?(format|type|encoding)$/, 'dataFormat'],
];

/**
 * Messages published to AWS IoT Core, by MQTT topic filter. Several filters make several rules; a message that more than one
 * of them matches is taken once. A filter is refused at synth when IoT Core would refuse it: quotes, newlines, more than
 * 7 slashes or 256 bytes, a misplaced wildcard (AWS IoT Core, "Topic filters" and quotas).
 */
export class IotTopicSource implements ISource {
  readonly spec: object;
  readonly workerOptions: Readonly<Record<string, unknown>>;
  readonly advice = ADVICE;
  readonly #props: IotTopicSourceProps;
  readonly #filters: readonly string[];

  constructor(filters: string | readonly string[], props: IotTopicSourceProps = {}) {
    this.#filters = withoutCovered(typeof filters === 'string' ? [filters] : filters);
    const { dataFormat, defaults } = props;
    this.#props = props;
    this.workerOptions = { dataFormat, defaults };
    this.spec = {
      type: 'iot-core',
      filters: this.#filters,
      ...(dataFormat !== undefined && { dataFormat }),
      ...(defaults !== undefined && { defaults }),
    };
  }

  bind(scope: Construct, binding: SourceBinding): readonly Origin[] {
    refuseUnknown(binding.option, this.#props, OPTIONS, [...ADVICE, ...TASK_ADVICE]);
    return addTopicRules(scope, binding, publishRules(this.#filters, `${binding.option}.filters`));
  }
}
