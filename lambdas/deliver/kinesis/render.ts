import type { Resolved } from '../../core/deploy-time.ts';
import { NeverRetry, show } from '../../core/errors.ts';
import { redactedText } from '../../core/redacted-text.ts';
import { compileTemplate, type MissingVariable, type Template } from '../../core/template/template.ts';
import type { TextConstraint } from '../../core/text-constraint.ts';
import type { Render } from '../sink.ts';
import type { KinesisOptions } from './config.ts';
import { CONSTRAINTS } from './constraints.ts';

export interface KinesisRequest {
  readonly stream: string;
  /** Whether a template named the stream: a wrong name is then the message's fault, not the task's. */
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
  const asTarget = { missingVariable, nullIsMissing: true };
  const stream = compileTemplate(options.stream, asTarget);
  const isStreamRendered = stream.paths.length > 0;
  const partitionKey = compileTemplate(options.partitionKey, asTarget);
  const explicitHashKey =
    options.explicitHashKey === undefined ? undefined : compileTemplate(options.explicitHashKey, asTarget);
  const payload = compileTemplate(options.payload === '' ? '${.}' : options.payload, { missingVariable });

  return (scope) => {
    const data = payload.render(scope);
    const key = rendered('partitionKey', partitionKey, scope);
    const bytes = data.length + Buffer.byteLength(key);
    if (bytes > options.maxRecordBytes) {
      throw new NeverRetry(
        'MESSAGE_TOO_LARGE',
        `the record has ${bytes} bytes with its key; expected at most ${options.maxRecordBytes} (maxRecordBytes)`,
      );
    }
    // A name that was unknown until deployment is the task's fault: the sink judges it.
    const name = isStreamRendered ? rendered('stream', stream, scope) : stream.renderText(scope);
    const request = { stream: name, isStreamRendered, partitionKey: key, data, bytes };
    if (explicitHashKey === undefined) return request;
    return { ...request, explicitHashKey: rendered('explicitHashKey', explicitHashKey, scope) };
  };
}

function rendered(option: keyof typeof CONSTRAINTS, template: Template, scope: object): string {
  const { expected, isMet, refused }: TextConstraint = CONSTRAINTS[option];
  const text = template.renderText(scope);
  if (isMet(text)) return text;
  // A rendered text may come from a publisher, so only the task's literals are repeated word for word.
  const given = template.paths.length === 0 ? show(text) : redactedText(text, refused);
  throw new NeverRetry('INVALID_TARGET', `${option} rendered to ${given}; expected ${expected}`);
}
