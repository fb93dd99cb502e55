import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry, show } from '../../core/errors.ts';
import { compileExpression, isRendered } from '../../core/jsonpath/expression.ts';
import { compileObject } from '../../core/jsonpath/object.ts';
import { redactedText } from '../../core/redacted-text.ts';
import type { MissingVariable } from '../../core/template/template.ts';
import type { TextConstraint } from '../../core/text-constraint.ts';
import type { Render } from '../sink.ts';
import type { KinesisOptions } from './config.ts';
import { CONSTRAINTS, withoutFraction } from './constraints.ts';

export interface KinesisRequest {
  readonly stream: string;
  /** Whether the message named the stream: a wrong name is then the message's fault, not the task's. */
  readonly isStreamRendered: boolean;
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  readonly data: Uint8Array;
  /** Data and partition key together, as Kinesis counts them. */
  readonly bytes: number;
}

/** Compiles the options to a function that makes requests; it throws NeverRetry for a request that Kinesis would refuse. */
export function compileKinesis(
  options: Resolved<KinesisOptions>,
  missingVariable: MissingVariable,
): Render<KinesisRequest> {
  const compile = (text: string) => compileExpression(text, missingVariable);
  const stream = compile(options.stream);
  const isStreamRendered = isRendered(options.stream);
  const readStream = constrained('stream', options.stream, compile);
  const readPartitionKey = constrained('partitionKey', options.partitionKey, compile);
  const readHashKey =
    options.explicitHashKey === undefined
      ? undefined
      : constrained('explicitHashKey', options.explicitHashKey, compile);
  const payload =
    typeof options.payload === 'string'
      ? compile(options.payload === '' ? '${.}' : options.payload)
      : compileObject(options.payload, missingVariable);

  return (scope, event) => {
    const data = payload.bytes(scope, event);
    const key = readPartitionKey(scope, event);
    const bytes = data.length + Buffer.byteLength(key);
    if (bytes > options.maxRecordBytes) {
      throw new NeverRetry(
        'MESSAGE_TOO_LARGE',
        `the record has ${bytes} bytes with its key; expected at most ${options.maxRecordBytes} (maxRecordBytes)`,
      );
    }
    // A name that was unknown until deployment is the task's fault: the sink judges it.
    const name = isStreamRendered ? readStream(scope, event) : (stream.text(scope, event) ?? '');
    const request = { stream: name, isStreamRendered, partitionKey: key, data, bytes };
    if (readHashKey === undefined) return request;
    return { ...request, explicitHashKey: withoutFraction(readHashKey(scope, event)) };
  };
}

function constrained(
  option: keyof typeof CONSTRAINTS,
  given: string,
  compile: (text: string) => ReturnType<typeof compileExpression>,
): (scope: object, event: object) => string {
  const { expected, isMet, refused }: TextConstraint = CONSTRAINTS[option];
  const { text: read } = compile(given);
  const isLiteral = !isRendered(given);
  return (scope, event) => {
    const text = read(scope, event) ?? '';
    if (isMet(text)) return text;
    // A rendered text may come from a publisher, so only the task's literals are repeated word for word.
    const shown = isLiteral ? show(text) : redactedText(text, refused);
    throw new NeverRetry('INVALID_TARGET', `${option} rendered to ${shown}; expected ${expected}`);
  };
}
