import type { Construct } from 'constructs';
import type { DataFormat, PublisherDefaults } from '../../lambdas/core/event.ts';
import type { OptionAdvice } from '../advice.ts';
import { ANY, checkOption, checkProps, either, listOf, OBJECT, type OptionTypes, required, STRING } from '../props.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { Origin } from './origin.ts';
import { withoutCovered } from './overlap.ts';
import { publishRules } from './rule-sql.ts';
import type { ISource, SourceBinding } from './source.ts';
import { addTopicRules } from './topic-rules.ts';

export interface IotTopicSourceProps {
  /**
   * Format of the payloads, which decides `data.body` of the event: `json` is the JSON value, `text` the UTF-8 text, `binary` base64 of
   * the bytes.
   *
   * @default 'json'
   */
  readonly dataFormat?: DataFormat;
  /**
   * `username`, `qos` and `retain` of messages without MQTT 5 user properties of those names. AWS IoT Core does not report these three
   * to topic rules.
   *
   * @default null for each
   */
  readonly defaults?: PublisherDefaults;
}

const OPTIONS: OptionTypes<IotTopicSourceProps> = { dataFormat: ANY, defaults: OBJECT };

const ADVICE: OptionAdvice = [
  [/^(topics?|(topic)?filters?)$/, "the source's first argument: a topic filter, or several"],
  [/^(raw)?sql$/, "a topic filter in place of FROM, and the task's filter in place of WHERE"],
  [/^qos$/, 'nothing: topic rules take messages of every QoS; defaults.qos is for messages without a QoS of their own'],
  [/^(payload)?(format|type|encoding)$/, 'dataFormat'],
];

/**
 * Messages that clients publish to AWS IoT Core, by MQTT topic filter. Each filter makes a topic rule; a message that several filters
 * match is received once. AWS's documents do not agree on whether `t/#` matches the topic `t`: to receive it for sure, give both,
 * `['t', 't/#']`.
 *
 * @throws InvalidOptionError at synth for a filter that AWS IoT Core refuses: quotes, control characters, more than 7 slashes or 256
 * bytes, or a misplaced wildcard (AWS IoT Core, "Topic filters" and quotas).
 */
export class IotTopicSource implements ISource {
  readonly spec: object;
  readonly workerOptions: Readonly<Record<string, unknown>>;
  readonly advice = ADVICE;
  readonly #props: IotTopicSourceProps;
  readonly #filters: readonly string[];

  constructor(filters: string | readonly string[], props: IotTopicSourceProps = {}) {
    checkOption('IotTopicSource.filters', filters, required(either(STRING, listOf(STRING))));
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
    checkProps(binding.option, this.#props, OPTIONS, [...ADVICE, ...TASK_ADVICE]);
    return addTopicRules(scope, binding, publishRules(this.#filters, `${binding.option}.filters`));
  }
}
