import { NeverRetry } from '../core/errors.ts';
import type { MqttEvent } from '../core/event.ts';
import { compilePattern } from '../core/pattern/pattern.ts';
import type { RouteStepOptions } from '../core/steps.ts';
import { matchesTopicFilter, withoutShare } from '../core/topic-filter.ts';
import type { StepDefinition } from './step.ts';

type Condition = RouteStepOptions['routes'][number];

/** Sends a record to the first route whose conditions it meets, or to every such route. @throws NeverRetry NO_ROUTE */
export const route: StepDefinition<RouteStepOptions> = {
  stage: 'transform',
  compile({ routes, match, otherwise }, { event: eventOf }) {
    const conditions = routes.map(compileCondition);
    return (record) => {
      const event = eventOf(record);
      if (match === 'all') {
        const taken = conditions.flatMap((isMet, n) => (isMet(event) ? [record.routed(n)] : []));
        if (taken.length > 0) return taken;
      } else {
        const first = conditions.findIndex((isMet) => isMet(event));
        if (first !== -1) return record.routed(first);
      }
      if (otherwise === 'drop') return undefined;
      throw new NeverRetry('NO_ROUTE', `none of the ${routes.length} routes matches this ${event.type} event`);
    };
  },
};

function compileCondition({ kind, topicFilter, filter }: Condition): (event: MqttEvent) => boolean {
  const pattern = filter === undefined ? undefined : compilePattern(filter);
  return (event) =>
    (kind === undefined || event.type === kind) &&
    (topicFilter === undefined || matchesTopicFilter(topicFilter, withoutShare(event.data.topic))) &&
    (pattern === undefined || pattern.matches(event));
}
