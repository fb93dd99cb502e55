import type { Construct } from 'constructs';
import type { DataFormat, PublisherDefaults } from '../../lambdas/core/event.ts';
import { PUBLISH } from '../../lambdas/core/event-type.ts';
import { fromClauses, withoutCovered } from './rule-sql.ts';
import { addRules } from './rules.ts';
import type { ISource, SourceConfig, SourceTarget } from './source.ts';

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

  bind(scope: Construct, target: SourceTarget): SourceConfig {
    const from = fromClauses(this.#filters, `${target.option}.filters`);
    const rules = addRules(
      scope,
      target,
      from.map((from) => ({ kind: PUBLISH, from })),
    );
    return { rules, filters: this.#filters };
  }
}
