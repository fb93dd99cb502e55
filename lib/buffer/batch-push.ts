import { Annotations, Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** A batch is delivered when it has `messages` messages or after `interval`, whichever comes first. */
export interface BatchPush {
  /** 1 to 10,000. */
  readonly messages: number;
  /**
   * 0 to 15 whole seconds.
   *
   * @default - 1 second for more than 10 messages of a queue, otherwise 0
   */
  readonly interval?: Duration;
}

/** AWS Lambda, "CreateEventSourceMapping": a queue's batch size above 10 needs a batching window of at least 1 second. */
const MAX_WITHOUT_WINDOW = 10;

/** The batch size and window of the event source mapping. */
export function batchWindow(
  task: Construct,
  given: BatchPush | undefined,
  {
    messagesByDefault = 10,
    needsWindow = true,
  }: { readonly messagesByDefault?: number; readonly needsWindow?: boolean } = {},
): Required<BatchPush> {
  if (given === undefined) return { messages: messagesByDefault, interval: Duration.seconds(0) };
  const { messages, interval } = given;
  const isWindowNeeded = needsWindow && messages > MAX_WITHOUT_WINDOW;
  if (interval === undefined) return { messages, interval: Duration.seconds(isWindowNeeded ? 1 : 0) };
  if (!isWindowNeeded || interval.toSeconds() > 0) return { messages, interval };
  Annotations.of(task).addInfo(
    `batchPush: AWS Lambda collects more than 10 messages only within a window, so ${messages} messages with interval 0 wait up to 1 second.`,
  );
  return { messages, interval: Duration.seconds(1) };
}
