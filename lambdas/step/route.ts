import { NeverRetry } from '../core/errors.ts';
import type { MqttEvent } from '../core/event.ts';
import { compilePattern } from '../core/pattern/pattern.ts';
import type { RouteTo, TaskSpec } from '../core/spec.ts';
import { matchesTopicFilter, withoutShare } from '../core/topic-filter.ts';
import type { Render } from '../deliver/sink.ts';

/** Says by which ways a record goes on; none for one that the task drops. @throws NeverRetry NO_ROUTE */
export type Routes<Request> = (event: MqttEvent) => readonly Render<Request>[];

/** Compiles a task's routes; without any, everything goes by the sink's own options. */
export function compileRoutes<Request>(
  route: TaskSpec['route'],
  compile: (own?: RouteTo) => Render<Request>,
): Routes<Request> {
  if (route === undefined) {
    const only = [compile()];
    return () => only;
  }
  const ways = route.routes.map((own) => ({ takes: compileCondition(own), render: compile(own) }));
  return (event) => {
    const taken = route.match === 'all' ? ways.filter(({ takes }) => takes(event)) : first(ways, event);
    if (taken.length === 0 && route.otherwise === 'deadLetter')
      throw new NeverRetry('NO_ROUTE', `none of ${ways.length} routes takes this ${event.type}`);
    return taken.map(({ render }) => render);
  };
}

function first<Way extends { takes(event: MqttEvent): boolean }>(ways: readonly Way[], event: MqttEvent): Way[] {
  const way = ways.find(({ takes }) => takes(event));
  return way === undefined ? [] : [way];
}

function compileCondition({ kind, topicFilter, filter }: RouteTo): (event: MqttEvent) => boolean {
  const pattern = filter === undefined ? undefined : compilePattern(filter);
  return (event) =>
    (kind === undefined || event.type === kind) &&
    (topicFilter === undefined || matchesTopicFilter(topicFilter, withoutShare(event.data.topic))) &&
    (pattern === undefined || pattern.matches(event));
}
