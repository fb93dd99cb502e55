/** Key of the template metadata that lists a stack's tasks. */
export const METADATA_KEY = 'mqtt-outflow';
export const METADATA_VERSION = 1;

export interface TemplateMetadata {
  readonly v: typeof METADATA_VERSION;
  readonly tasks: readonly TaskMetadata[];
}

/** A task by the logical ids of its resources; a part that it does not have, or that another stack owns, is left out. */
export interface TaskMetadata {
  readonly task: string;
  /** Path of the construct. */
  readonly path: string;
  /** Type of the sink. */
  readonly sink: string;
  /** Topic filters that the rules serve, one each. */
  readonly filters: readonly string[];
  /** Topics of AWS IoT Core that the sink publishes to, as templates. */
  readonly writesTo?: readonly string[];
  /** SHA-256 of the spec. */
  readonly specHash: string;
  readonly rules: readonly string[];
  /** Functions that write messages into the buffer, with the topic filters of those messages. */
  readonly functions?: readonly { readonly function: string; readonly filters: readonly string[] }[];
  readonly queue?: string;
  /** Where messages wait for their next try. */
  readonly retryQueue?: string;
  /** The stream that buffers messages, in place of the queues. */
  readonly stream?: string;
  readonly deadLetterQueue?: string;
  readonly worker?: string;
  /** Event source mappings: first the batch push, then that of the retries. */
  readonly mappings: readonly string[];
  /** False of a task that is deployed not to run, until it is told otherwise. @default true */
  readonly enabled?: boolean;
  /** The parameter that keeps the task's state. */
  readonly state?: string;
  /** The stack's control: where it is asked, and its function. */
  readonly controlQueue?: string;
  readonly controlFunction?: string;
}
