import * as z from 'zod';
import type { ControlMessage } from './control-message.ts';

/** The status of a task, in the words of ApsaraMQ's console. */
export type TaskStatus = 'Starting' | 'Running' | 'Paused' | 'Ready' | 'Start Failed' | 'Deleting';

const span = z.tuple([z.number(), z.number().nullable()]);

/** The state of a task; its JSON is the value of the task's parameter in AWS Systems Manager. */
export const taskState = z.object({
  v: z.literal(1),
  /** What the operator requested. */
  desired: z.enum(['Running', 'Paused']).default('Running'),
  /** Whether the task's rules are disabled too. */
  intakeStopped: z.boolean().default(false),
  /** Why the task does not run although it should: its circuit is open (`stopped`), or a failed message blocks it (`blocked`). */
  halt: z
    .object({
      why: z.enum(['stopped', 'blocked']),
      cause: z.string(),
      /** The message that blocks the task. */
      message: z.string().optional(),
    })
    .optional(),
  /** Messages that the operator has skipped, the last one last: a worker dead-letters them where they would block the task. */
  skipped: z.array(z.string()).default([]),
  status: z.enum(['Starting', 'Running', 'Paused', 'Ready', 'Start Failed', 'Deleting']).default('Starting'),
  cause: z.string().optional(),
  /** When the task took this status: milliseconds since 1970. */
  since: z.number().default(0),
  /** Spans in which the task did not run, oldest first: milliseconds since 1970. The end is null while a span lasts. */
  stops: z.array(span).default([]),
});
export type TaskState = z.output<typeof taskState>;

/** The value of a state's parameter in the template. */
export const UNWRITTEN_STATE = '{"v":1}';

/**
 * Selects the version of a state's parameter that the control function wrote last. CloudFormation writes the template's value
 * again when a property or a tag of the stack changes: that adds a version, and the label stays (AWS Systems Manager, "Working with
 * parameter labels"). So no deployment changes a state.
 */
export const STATE_LABEL = 'written';

/** The name of a state's parameter with the selector of its labelled version. */
export function labelledState(parameter: string): string {
  return `${parameter}:${STATE_LABEL}`;
}

/**
 * Reads the text of a state's parameter; undefined until the control function has written the state: no version has the label.
 *
 * @param read Calls GetParameter.
 */
export async function readStateText(
  parameter: string,
  read: (name: string) => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await read(labelledState(parameter));
  } catch (error) {
    if (!['ParameterNotFound', 'ParameterVersionNotFound'].includes((error as Error).name)) throw error;
    return undefined;
  }
}

/** The state of a task that has had no control message. */
export const INITIAL_STATE: TaskState = taskState.parse({ v: 1 });

/** The same for a task deployed with `enabled: false`. It never ran, so the messages in its buffer do not age. */
const INITIAL_PAUSE: TaskState = { ...INITIAL_STATE, desired: 'Paused', stops: [[0, null]] };

/** A parameter holds 4 KB; this many spans leave room for the other fields. */
const MAX_SPANS = 45;
/** Earlier ones are dead-lettered by now: a blocked task meets one message at a time. */
const MAX_SKIPPED = 4;
/** Causes quote answers of servers, which can be long. The state holds each cause twice. */
const MAX_CAUSE_BYTES = 800;

/**
 * Parses a parameter's text. An unwritten or invalid state is the initial one.
 *
 * @param isEnabled Whether the task is deployed to run. A written state overrides it.
 */
export function readState(text: string | undefined, isEnabled = true): TaskState {
  const initial = isEnabled ? INITIAL_STATE : INITIAL_PAUSE;
  try {
    return taskState.parse({ ...initial, ...JSON.parse(text ?? '') });
  } catch {
    return initial;
  }
}

/** Whether the task's event source mappings should be enabled. */
export function shouldRun({ desired, halt }: TaskState): boolean {
  return desired === 'Running' && halt === undefined;
}

/** Returns the state after a control message. `reconcile` changes nothing by itself. */
export function afterMessage(state: TaskState, message: ControlMessage, now: number): TaskState {
  if (message.kind === 'enable')
    return withSpan({ ...state, desired: 'Running', intakeStopped: false, halt: undefined }, now);
  if (message.kind === 'skip') {
    // The task may be blocked by another message by now, or not at all.
    if (state.halt?.why !== 'blocked' || state.halt.message !== message.message) return state;
    const skipped = [...state.skipped, message.message].slice(-MAX_SKIPPED);
    return withSpan({ ...state, desired: 'Running', intakeStopped: false, halt: undefined, skipped }, now);
  }
  if (message.kind === 'pause')
    return withSpan({ ...state, desired: 'Paused', intakeStopped: message.stopIntake }, now);
  // The operator enabled the task after an older report, so the report is out of date.
  if (message.kind === 'halt' && message.at >= enabledAt(state)) {
    // Further reports change nothing: the first cause stays until a probe finds another.
    if (state.halt?.why === 'blocked' || state.halt?.why === message.why) return state;
    const halt = { why: message.why, cause: truncated(message.cause), message: message.message };
    return withSpan({ ...state, halt }, now);
  }
  return state;
}

function truncated(cause: string): string {
  let short = cause.slice(0, MAX_CAUSE_BYTES);
  while (Buffer.byteLength(JSON.stringify(short)) > MAX_CAUSE_BYTES) short = short.slice(0, -10);
  return short.toWellFormed();
}

/** Returns the state after a successful probe: the circuit is closed. */
export function afterRecovery(state: TaskState, now: number): TaskState {
  return withSpan({ ...state, halt: undefined }, now);
}

/** Returns the state after a failed probe: the circuit stays open, with the probe's cause. */
export function afterFailedProbe(state: TaskState, cause: string): TaskState {
  const halt = { why: 'stopped' as const, cause: truncated(cause) };
  return halt.cause === state.halt?.cause ? state : { ...state, halt };
}

/** Returns the state with the status that the event source mappings show. */
export function withStatus(state: TaskState, mappings: readonly string[], now: number): TaskState {
  const status = statusOf(state, mappings);
  const cause = status === 'Ready' || status === 'Start Failed' ? state.halt?.cause : undefined;
  if (status === state.status && cause === state.cause) return state;
  return { ...state, status, cause, since: status === state.status ? state.since : now };
}

function statusOf(state: TaskState, mappings: readonly string[]): TaskStatus {
  if (mappings.some((mapping) => mapping === 'Deleting')) return 'Deleting';
  if (state.desired === 'Paused') return 'Paused';
  if (state.halt !== undefined) return state.halt.why === 'blocked' ? 'Ready' : 'Start Failed';
  return mappings.every((mapping) => mapping === 'Enabled') ? 'Running' : 'Starting';
}

// Opens a span when the task stops, and closes it when the task runs again.
function withSpan(state: TaskState, now: number): TaskState {
  const last = state.stops.at(-1);
  const isOpen = last !== undefined && last[1] === null;
  if (shouldRun(state) && isOpen) return { ...state, stops: [...state.stops.slice(0, -1), [last[0], now]] };
  if (!shouldRun(state) && !isOpen) return { ...state, stops: mergeOldest([...state.stops, [now, null]]) };
  return state;
}

// Merges the two oldest spans into one, with the running time between them: a message then counts as younger than it is.
function mergeOldest(stops: TaskState['stops']): TaskState['stops'] {
  if (stops.length <= MAX_SPANS) return stops;
  const [first, second, ...rest] = stops as [TaskState['stops'][number], TaskState['stops'][number]];
  return [[first[0], second[1]], ...rest];
}

function enabledAt({ stops }: TaskState): number {
  return stops.at(-1)?.[1] ?? 0;
}

/** Milliseconds between two times, both milliseconds since 1970, in which the task did not run. */
export function stoppedMsWithin({ stops }: TaskState, from: number, to: number): number {
  return stops.reduce((sum, [start, end]) => {
    return sum + Math.max(0, Math.min(end ?? to, to) - Math.max(start, from));
  }, 0);
}

/** Minutes between two looks at a task that is settled. */
const SETTLED_LOOK_MINUTES = 5;
/** A change of a mapping that AWS Lambda refuses is repeated for this long, and a status settles. */
const UNSETTLED_MS = 10 * 60_000;

/**
 * Whether the control function looks at a task in this minute: each minute while the task changes or cannot continue, else every
 * five minutes.
 *
 * @param slot Spreads the looks of the tasks of a stack over these five minutes: a whole number of at least 0.
 */
export function isDue({ status, since }: TaskState, slot: number, now: number): boolean {
  const isSettled = (status === 'Running' || status === 'Paused') && now - since > UNSETTLED_MS;
  return !isSettled || (Math.floor(now / 60_000) + slot) % SETTLED_LOOK_MINUTES === 0;
}
