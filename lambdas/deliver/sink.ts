import type * as z from 'zod';
import type { ArrivedRecord, ReadRequest } from '../core/control-requests.ts';
import type { Resolved } from '../core/deploy-time.ts';
import type { Envelope } from '../core/envelope.ts';
import type { NeverRetry, RetryLater, StopTask } from '../core/errors.ts';
import type { SinkOptions } from '../core/sink-options.ts';
import type { MissingVariable } from '../core/template/template.ts';

/** The result of delivering one request. */
export type Outcome =
  | { readonly status: 'delivered'; readonly receipt?: string }
  | { readonly status: 'retry'; readonly error: RetryLater }
  | { readonly status: 'never'; readonly error: NeverRetry }
  | { readonly status: 'stop'; readonly error: StopTask }
  /** Not tried: the time was over, or a request before it in its order is owed. */
  | { readonly status: 'unsent' };

/** Whether the request is delivered or can never be, so that the next one in its order may be sent. */
export function isSettled({ status }: Outcome): boolean {
  return status === 'delivered' || status === 'never';
}

export interface DeliverContext {
  /** Milliseconds until Lambda ends the function. A sink makes no call that could take longer. */
  readonly remainingMs: () => number;
  /**
   * The order to keep. `relaxed` sends one batch after the other, and none after a batch of which a request is owed. `strict`
   * sends the next request of a key (partition key, message group, topic) once the one before is delivered or can never be.
   *
   * @default - any order
   */
  readonly order?: 'relaxed' | 'strict' | undefined;
  /** Number of the shard that the requests come from; absent for a queue. */
  readonly shard?: number | undefined;
}

/** Delivers requests to a service. */
export interface Sink<Request> {
  /** @returns one outcome per request, in the order of the requests. @throws RetryLater, StopTask when nothing was tried. */
  deliver(requests: readonly Request[], context: DeliverContext): Promise<readonly Outcome[]>;
  /**
   * Tests whether the targets can be reached and used. Delivers nothing.
   *
   * @param targets Every target that requests may have: names, and templates that name targets. By default the one in the options.
   * @returns what was found, as a sentence for an operator.
   * @throws StopTask, RetryLater with the reason when a target cannot be used.
   */
  testConnectivity(targets?: readonly string[]): Promise<string>;
  close(): void | Promise<void>;
}

/**
 * Makes a sink's request of a message: templates read the rule output, JSONPaths the event. The envelope is the message as its
 * source received it, whatever the task's steps made of it.
 *
 * @throws NeverRetry when it cannot be sent.
 */
export type Render<Request> = (scope: object, event: object, envelope?: Envelope) => Request;

/** Opens a sink together with its options: the function's environment, and what tests and one-process runs replace. */
export interface SinkEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Endpoint of an emulator, called in region `AWS_REGION`. @default - the endpoint of AWS, or of the SDK's environment variables */
  readonly endpointUrl?: string;
  /** Reads the text of a secret. @default - from AWS Secrets Manager */
  readonly secret?: (arn: string) => Promise<string>;
  /** Writes an entry to the task's log. @default - nothing is logged */
  readonly log?: (entry: object) => void;
}

/** Credentials for emulators, which check none: a developer's credentials are not sent to them. */
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

/** Defines a sink: its folder exports one of these, and the table in `all.ts` lists it. */
export interface SinkDefinition<Schema extends z.ZodType, Request> extends SinkOptions<Schema> {
  readonly type: string;
  /** Like `open`, it is called with the options after deploy-time values have become strings. */
  compile(options: Resolved<z.output<Schema>>, missingVariable: MissingVariable): Render<Request>;
  open(options: Resolved<z.output<Schema>>, environment: SinkEnvironment): Sink<Request>;
  /**
   * Reads what arrived at the sink's target, or at the one of the request.
   *
   * @default - the function cannot read the target
   * @returns the records, earliest first.
   */
  read?(
    options: Resolved<z.output<Schema>>,
    environment: SinkEnvironment,
    request: ReadRequest & { readonly timeoutMs: number },
  ): Promise<readonly ArrivedRecord[]>;
  /** Names the target of a request, such as its stream; for options, the target's name or its template. */
  target(of: Request | Resolved<z.output<Schema>>): string;
  /** Returns the request with an expiry in whole seconds, for a service that deletes expired messages. One that the task gave stays. */
  expiring?(request: Request, seconds: number): Request;
  /** Describes a request for `outflow try`, as plain data. Bytes are shown as text or base64. */
  show(request: Request): Record<string, unknown>;
}
