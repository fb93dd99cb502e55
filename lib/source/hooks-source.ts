import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { DataFormat, PublisherDefaults } from '../../lambdas/core/event.ts';
import { type ClientEventName, clientEventFilter } from '../../lambdas/core/event-type.ts';
import { ruleOfEvent } from './client-events-source.ts';
import { DeliveredLog } from './delivered-log.ts';
import type { FilteredHook, HookEvent, Hooks } from './hook-events.ts';
import type { Origin } from './origin.ts';
import { withoutCovered } from './overlap.ts';
import { publishRules } from './rule-sql.ts';
import type { ISource, SourceBinding } from './source.ts';
import { addTopicRules } from './topic-rules.ts';

export interface HooksSourceOptions {
  readonly dataFormat: DataFormat;
  readonly defaults: PublisherDefaults | undefined;
  readonly deliveredLog: ILogGroup | undefined;
}

const EVENTS: readonly (readonly [HookEvent, ClientEventName])[] = [
  ['client.connected', 'connected'],
  ['client.disconnected', 'disconnected'],
  ['session.subscribed', 'subscribed'],
  ['session.unsubscribed', 'unsubscribed'],
];

/**
 * The events that a task's hooks need: a topic rule for each client event and for each topic filter of published messages that
 * no other covers, and a function that reads delivered messages from a log.
 */
export class HooksSource implements ISource {
  readonly spec: object;
  readonly #events: readonly ClientEventName[];
  readonly #published: readonly string[];
  readonly #delivered: readonly string[];
  readonly #log: ILogGroup | undefined;

  constructor(hooks: Hooks, { dataFormat, defaults, deliveredLog }: HooksSourceOptions) {
    this.#events = EVENTS.filter(([hook]) => hooks[hook] !== undefined).map(([, event]) => event);
    this.#published = withoutCovered(filtersOf(hooks['message.publish']));
    this.#delivered = withoutCovered(filtersOf(hooks['message.delivered']));
    this.#log = deliveredLog;
    this.spec = {
      type: 'hooks',
      filters: [...this.#events.map(clientEventFilter), ...this.#published, ...this.#delivered],
      dataFormat,
      ...(defaults !== undefined && { defaults }),
    };
  }

  bind(scope: Construct, binding: SourceBinding): readonly Origin[] {
    const rules = addTopicRules(scope, binding, [
      ...this.#events.map(ruleOfEvent),
      ...publishRules(this.#published, `${binding.option}.filters`),
    ]);
    if (this.#delivered.length === 0) return rules;
    const log = new DeliveredLog(scope, 'Delivered', {
      binding,
      logGroup: this.#log!,
      topicFilters: this.#delivered,
    });
    return [...rules, log.origin];
  }
}

function filtersOf(hooks: readonly FilteredHook[] = []): string[] {
  return hooks.map(({ filter = '#' }) => filter);
}
