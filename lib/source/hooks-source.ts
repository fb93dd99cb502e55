import type { ILogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import type { PublisherDefaults } from '../../lambdas/core/event.ts';
import { type ClientEventName, clientEventFilter, PUBLISH } from '../../lambdas/core/event-type.ts';
import type { FilteredHook, HookEvent, Hooks } from '../hooks.ts';
import { ruleOfEvent } from './client-events-source.ts';
import { DeliveredLog } from './delivered-log.ts';
import { fromClauses, withoutCovered } from './rule-sql.ts';
import { addRules } from './rules.ts';
import type { ISource, SourceConfig, SourceTarget } from './source.ts';

export interface HooksSourceOptions {
  readonly defaults: PublisherDefaults | undefined;
  readonly deliveredLog: ILogGroup | undefined;
}

const EVENTS: readonly (readonly [HookEvent, ClientEventName])[] = [
  ['client.connected', 'connected'],
  ['client.disconnected', 'disconnected'],
  ['session.subscribed', 'subscribed'],
  ['session.unsubscribed', 'unsubscribed'],
];

/** What the hooks of a task want to know: a rule for each event of clients, and for each topic filter of messages that no other covers. */
export class HooksSource implements ISource {
  readonly spec: object;
  readonly #events: readonly ClientEventName[];
  readonly #published: readonly string[];
  readonly #delivered: readonly string[];
  readonly #log: ILogGroup | undefined;

  constructor(hooks: Hooks, { defaults, deliveredLog }: HooksSourceOptions) {
    this.#events = EVENTS.filter(([hook]) => hooks[hook] !== undefined).map(([, event]) => event);
    this.#published = withoutCovered(filtersOf(hooks['message.publish']));
    this.#delivered = withoutCovered(filtersOf(hooks['message.delivered']));
    this.#log = deliveredLog;
    this.spec = {
      type: 'hooks',
      filters: [...this.#filters(), ...this.#delivered],
      dataFormat: 'binary',
      ...(defaults !== undefined && { defaults }),
    };
  }

  bind(scope: Construct, target: SourceTarget): SourceConfig {
    const published = fromClauses(this.#published, `${target.option}.filters`);
    const rules = addRules(scope, target, [
      ...this.#events.map(ruleOfEvent),
      ...published.map((from) => ({ kind: PUBLISH, from })),
    ]);
    if (this.#delivered.length > 0) {
      if (target.queue === undefined)
        throw new InvalidOptionError(
          `${target.option}.buffer`,
          described('no queue'),
          'a QueueBuffer: message.delivered needs one',
        );
      const { queue, deadLetterQueue } = target;
      new DeliveredLog(scope, 'Delivered', {
        logGroup: this.#log!,
        topicFilters: this.#delivered,
        queue,
        deadLetterQueue,
      });
    }
    return { rules, filters: this.#filters() };
  }

  #filters(): string[] {
    return [...this.#events.map(clientEventFilter), ...this.#published];
  }
}

function filtersOf(hooks: readonly FilteredHook[] = []): string[] {
  return hooks.map(({ filter = '#' }) => filter);
}
