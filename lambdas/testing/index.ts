export type { BufferedMessage, SampleMessage } from './sample.ts';
export { type TryOptions, type TryResult, tryTask } from './try-task.ts';
