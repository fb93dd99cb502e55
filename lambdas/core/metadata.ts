/** Key of the CloudFormation template metadata that lists a stack's tasks. */
export const METADATA_KEY = 'mqtt-outflow';
export const METADATA_VERSION = 1;

export interface TemplateMetadata {
  readonly v: typeof METADATA_VERSION;
  readonly tasks: readonly TaskMetadata[];
}

/** The logical ids of a task's resources. A resource that the task lacks, or that another stack owns, is left out. */
export interface TaskMetadata {
  readonly task: string;
  /** The user's description of the task. */
  readonly description?: string;
  /** Path of the construct. */
  readonly path: string;
  /** Type of the sink. */
  readonly sink: string;
  /** Topic filters of the rules, in the order of `rules`. */
  readonly filters: readonly string[];
  /** Topics of AWS IoT Core that the sink publishes to, as templates. */
  readonly writesTo?: readonly string[];
  /** Level of the worker's log, if it is not the default: `warn` leaves out metrics. */
  readonly logLevel?: string;
  /** SHA-256 of the spec. */
  readonly specHash: string;
  readonly rules: readonly string[];
  /** Functions that write messages into the buffer, with the topic filters of those messages. */
  readonly functions?: readonly { readonly function: string; readonly filters: readonly string[] }[];
  readonly queue?: string;
  /** The queue that holds messages until their next attempt. */
  readonly retryQueue?: string;
  /** The stream of a `StreamBuffer`. */
  readonly stream?: string;
  readonly deadLetterQueue?: string;
  readonly worker?: string;
  /** Event source mappings: the buffer's first, then the retry queue's. */
  readonly mappings: readonly string[];
  /** Whether the task is deployed to run; `outflow enable` and `outflow pause` override it. @default true */
  readonly enabled?: boolean;
  /** The parameter that holds the task's state. */
  readonly state?: string;
  /** The queue of the stack's control function. */
  readonly controlQueue?: string;
  /** The stack's control function. */
  readonly controlFunction?: string;
}
