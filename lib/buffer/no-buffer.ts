import { Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import { ANY, checkProps, type OptionTypes } from '../props.ts';
import { TASK_ADVICE } from '../task-advice.ts';
import type { BufferBinding, BufferConfig, IBuffer } from './buffer.ts';

export interface NoBufferProps {
  /** Acknowledges that AWS IoT Core parses and re-serialises JSON payloads, which may change whitespace, key order and large numbers. */
  readonly payload: 'reserialised';
}

const OPTIONS: OptionTypes<NoBufferProps> = { payload: ANY };

/**
 * No buffer and no worker: the topic rule's action writes to the sink's target (AWS IoT Core, "Kinesis Data Streams" rule action).
 * It has the lowest price, for payloads that need no filter and no transformation. There is no retry policy. The rule's error action
 * sends messages that the action cannot deliver to the dead-letter queue.
 */
export class NoBuffer implements IBuffer {
  readonly rendersNatively = true;
  readonly #props: NoBufferProps;

  constructor(props: NoBufferProps) {
    this.#props = props;
  }

  bind(_: Construct, { option, sink, deadLetterQueue, workerOptions, sourceOptions }: BufferBinding): BufferConfig {
    if (this.#props?.payload !== 'reserialised') {
      throw new InvalidOptionError(
        `${option}.buffer.payload`,
        this.#props?.payload,
        "'reserialised': AWS IoT Core re-serialises JSON payloads",
      );
    }
    checkProps(`${option}.buffer`, this.#props, OPTIONS, TASK_ADVICE);
    const options = [
      ...Object.entries(workerOptions),
      ...Object.entries(sourceOptions).map(([name, given]) => [`source.${name}`, given] as const),
    ];
    for (const [name, given] of options) {
      if (given !== undefined)
        throw new InvalidOptionError(
          `${option}.${name}`,
          given,
          'nothing: with NoBuffer, there is no worker to act on it',
        );
    }
    const inlet = sink.nativeInlet?.(`${option}.sink`);
    if (inlet === undefined) {
      throw new InvalidOptionError(
        `${option}.buffer`,
        described('NoBuffer'),
        'a buffer: AWS IoT Core has no rule action for this sink',
      );
    }
    Validations.of(deadLetterQueue).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: "It is a dead-letter queue: the rule's error action sends to it, and no queue refers to it.",
    });
    return { inlet };
  }
}
