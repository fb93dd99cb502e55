import type { EventPattern } from './pattern/event-pattern.ts';
import type { RouteTo, TaskSpec, TransformStep } from './spec.ts';

/** A step of a task as data: an object of one key, the step's name, with the step's options. */
export type StepSpec =
  | { readonly select: SelectOptions }
  | { readonly filter: EventPattern }
  | { readonly route: RouteStepOptions };

export interface SelectOptions {
  /** Topic filter that has to match a subscription's topic filter. */
  readonly subscribedTo: string;
}

export interface RouteStepOptions {
  readonly routes: readonly Pick<RouteTo, 'kind' | 'topicFilter' | 'filter'>[];
  readonly match: 'first' | 'all';
  readonly otherwise: 'deadLetter' | 'drop';
}

/** The parts of a specification that decide its steps. */
export type StepsPart = Pick<TaskSpec, 'source' | 'filter' | 'transform' | 'route'>;

/** Lists the steps of a task in order: select, filter, the steps of `transform`, route. Steps that the task lacks are left out. */
export function stepsOf({ source, filter, transform = [], route }: StepsPart): readonly StepSpec[] {
  return [
    ...('subscribedTo' in source && source.subscribedTo !== undefined
      ? [{ select: { subscribedTo: source.subscribedTo } }]
      : []),
    ...(filter === undefined ? [] : [{ filter }]),
    ...(transform satisfies readonly TransformStep[]),
    ...(route === undefined ? [] : [{ route }]),
  ];
}
