import type { Stage } from '../core/errors.ts';
import type { StepSpec } from '../core/steps.ts';
import { filter } from './filter.ts';
import { route } from './route.ts';
import { select } from './select.ts';
import type { Step, StepDefinition, Views } from './step.ts';

/** Every step there is, by its name in a task's specification. */
const STEPS = { select, filter, route };

export interface CompiledStep {
  readonly name: string;
  readonly stage: Stage;
  readonly apply: Step;
}

/** Compiles a task's steps, in their order. */
export function compileSteps(specs: readonly StepSpec[], views: Views): CompiledStep[] {
  return specs.map((spec) => {
    const [[name, options]] = Object.entries(spec) as [[keyof typeof STEPS, unknown]];
    const { stage, compile } = STEPS[name] as StepDefinition<unknown>;
    return { name, stage, apply: compile(options, views) };
  });
}
