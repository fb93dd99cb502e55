export type { BufferedMessage, SampleMessage } from './sample.ts';
export type { StepTrace } from './trace-steps.ts';
export { type TryOptions, type TryResult, tryTask } from './try-task.ts';
