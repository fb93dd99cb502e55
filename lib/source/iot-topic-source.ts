import type { Construct } from 'constructs';
import type { DataFormat, PublisherDefaults } from '../../lambdas/core/event.ts';
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

/**
 * Messages published to AWS IoT Core, by MQTT topic filter. Several filters make several rules; a message that more than one
 * of them matches is taken once. A filter is refused at synth when IoT Core would refuse it: quotes, newlines, more than
 * 7 slashes or 256 bytes, a misplaced wildcard (AWS IoT Core, "Topic filters" and quotas).
 */
export class IotTopicSource implements ISource {
  readonly spec: object;
  readonly workerOptions: Readonly<Record<string, unknown>>;
  readonly #filters: readonly string[];

  constructor(filters: string | readonly string[], props: IotTopicSourceProps = {}) {
    this.#filters = withoutCovered(typeof filters === 'string' ? [filters] : filters);
    this.workerOptions = { dataFormat: props.dataFormat, defaults: props.defaults };
    this.spec = { type: 'iot-core', filters: this.#filters, ...props };
  }

  bind(scope: Construct, binding: SourceBinding): readonly Origin[] {
    return addTopicRules(scope, binding, publishRules(this.#filters, `${binding.option}.filters`));
  }
}
