import type * as z from 'zod';
import type { Resolved } from '../core/deploy-time.ts';
import type { NeverRetry, RetryLater, StopTask } from '../core/errors.ts';
import type { SinkOptions } from '../core/sink-options.ts';
import type { MissingVariable } from '../core/template/template.ts';

/** What became of one record, told in the order the records were given. */
export type Outcome =
  | { readonly status: 'delivered'; readonly receipt?: string }
  | { readonly status: 'retry'; readonly error: RetryLater }
  | { readonly status: 'never'; readonly error: NeverRetry }
  | { readonly status: 'stop'; readonly error: StopTask }
  /** Not tried: the deadline came first. */
  | { readonly status: 'unsent' };

export interface DeliverContext {
  /** Milliseconds until the function is stopped; nothing is started that cannot end before. */
  readonly remainingMs: () => number;
  /**
   * Whether the requests' order matters: `relaxed` sends one batch after the other and none after one that failed, `strict`
   * sends the next request of a key (partition key, message group, topic) only once the one before is delivered.
   *
   * @default it does not
   */
  readonly order?: 'relaxed' | 'strict' | undefined;
}

/** Delivers a batch. It throws only when nothing was tried. */
export interface Sink<Request> {
  /** One outcome per request, in order. @throws RetryLater, StopTask when nothing was tried. */
  deliver(requests: readonly Request[], context: DeliverContext): Promise<readonly Outcome[]>;
  /**
   * Whether the targets can be reached and used, with nothing delivered.
   *
   * @param targets All that requests may go to: names, and templates where messages name them. By default what the options say.
   * @returns what was found, as a sentence for an operator.
   * @throws StopTask, RetryLater with the reason when it cannot.
   */
  testConnectivity(targets?: readonly string[]): Promise<string>;
  close(): void | Promise<void>;
}

/** Turns a message into what the sink sends: templates read its rule output, JSONPath its event. @throws NeverRetry when it cannot be sent. */
export type Render<Request> = (scope: object, event: object) => Request;

/** What a sink is opened with beside its options: the function's environment, and what tests and one-process runs replace. */
export interface SinkEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Endpoint of an emulator in place of AWS, called in region `AWS_REGION`. @default AWS's own, or the SDK's endpoint variables */
  readonly endpointUrl?: string;
  /** Reads the text of a secret, in place of AWS Secrets Manager. */
  readonly secret?: (arn: string) => Promise<string>;
}

/** What emulators are called with: they check none, and a developer's own keys stay where they are. */
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

/** Everything that makes a sink: its folder exports one of these, and the table in `all.ts` lists it. */
export interface SinkDefinition<Schema extends z.ZodType, Request> extends SinkOptions<Schema> {
  readonly type: string;
  /** Deploy-time values are strings by the time that it and `open` see the options. */
  compile(options: Resolved<z.output<Schema>>, missingVariable: MissingVariable): Render<Request>;
  open(options: Resolved<z.output<Schema>>, environment: SinkEnvironment): Sink<Request>;
  /** Name of where a request goes, such as a stream; of options, that or the template of it. */
  target(of: Request | Resolved<z.output<Schema>>): string;
  /** A request as `outflow try` shows it: plain data, bytes as text or base64. */
  show(request: Request): Record<string, unknown>;
}
