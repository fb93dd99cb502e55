import { Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { described, InvalidOptionError } from '../../lambdas/core/errors.ts';
import type { BufferBinding, BufferConfig, IBuffer } from './buffer.ts';

export interface NoBufferProps {
  /** Says that you know: IoT Core parses JSON payloads and prints them anew, so spaces, key order and big numbers may change. */
  readonly payload: 'reserialised';
}

/**
 * IoT Core's own action, without buffer and worker: the cheapest way for payloads that need nothing done. Messages that the
 * action cannot deliver come to the dead-letter queue by the rule's error action; there are no retry policies.
 */
export class NoBuffer implements IBuffer {
  readonly #props: NoBufferProps;

  constructor(props: NoBufferProps) {
    this.#props = props;
  }

  bind(_: Construct, { option, sink, deadLetterQueue, workerOptions, sourceOptions }: BufferBinding): BufferConfig {
    if (this.#props?.payload !== 'reserialised') {
      throw new InvalidOptionError(
        `${option}.buffer.payload`,
        this.#props?.payload,
        "'reserialised': IoT Core prints JSON payloads anew",
      );
    }
    const idle = [
      ...Object.entries(workerOptions),
      ...Object.entries(sourceOptions).map(([name, given]) => [`source.${name}`, given] as const),
    ];
    for (const [name, given] of idle) {
      if (given !== undefined)
        throw new InvalidOptionError(`${option}.${name}`, given, 'nothing: NoBuffer has no worker to do it');
    }
    const inlet = sink.nativeInlet?.(`${option}.sink`);
    if (inlet === undefined) {
      throw new InvalidOptionError(
        `${option}.buffer`,
        described('NoBuffer'),
        'a buffer: IoT Core has no action of its own for this sink',
      );
    }
    Validations.of(deadLetterQueue).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SQS3',
      reason: 'It is a dead-letter queue, of a rule: the error action fills it, and no queue names it.',
    });
    return { inlet };
  }
}
