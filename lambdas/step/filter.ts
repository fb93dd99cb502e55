import { compilePattern } from '../core/pattern/pattern.ts';
import type { StepDefinition } from './step.ts';

/** Drops records whose event does not match the pattern. */
export const filter: StepDefinition<object> = {
  stage: 'filter',
  compile(options, { event }) {
    const pattern = compilePattern(options);
    return (record) => (pattern.matches(event(record)) ? record : undefined);
  },
};
