import * as z from 'zod';

/** What the control function is told: by workers that cannot go on, by the command, and each minute by the clock. */
export const controlMessage = z.discriminatedUnion('kind', [
  /** A worker says that its task as a whole cannot go on. */
  z.object({
    kind: z.literal('halt'),
    task: z.string(),
    why: z.enum(['stopped', 'blocked']),
    cause: z.string(),
    at: z.number(),
  }),
  z.object({ kind: z.literal('enable'), task: z.string() }),
  /** With `stopIntake` the rules stop as well; else the buffer keeps filling. */
  z.object({ kind: z.literal('pause'), task: z.string(), stopIntake: z.boolean().default(false) }),
  /** Sees to it that one task, or each, is as it is wanted. */
  z.object({ kind: z.literal('reconcile'), task: z.string().optional() }),
]);
export type ControlMessage = z.output<typeof controlMessage>;

/** The states that a task is in (row D20). */
export type TaskStatus = 'Starting' | 'Running' | 'Paused' | 'Ready' | 'Start Failed' | 'Deleting';

const span = z.tuple([z.number(), z.number().nullable()]);

/** What is kept of a task; the JSON of its parameter. */
export const taskState = z.object({
  v: z.literal(1),
  /** What its operator wants. */
  desired: z.enum(['Running', 'Paused']).default('Running'),
  /** The rules are off too. */
  intakeStopped: z.boolean().default(false),
  /** Why it does not run although it should. */
  halt: z.object({ why: z.enum(['stopped', 'blocked']), cause: z.string() }).optional(),
  status: z.enum(['Starting', 'Running', 'Paused', 'Ready', 'Start Failed', 'Deleting']).default('Starting'),
  cause: z.string().optional(),
  /** Since when the status is what it is: milliseconds since 1970. */
  since: z.number().default(0),
  /** When it did not run: spans in milliseconds since 1970, the last one open while it does not. */
  stops: z.array(span).default([]),
});
export type TaskState = z.output<typeof taskState>;

/** A parameter's text until the control function writes it. It never changes, so that no deployment writes it again. */
export const UNWRITTEN_STATE = '{"v":1}';

/** A task's state before anything was ever told about it. */
export const INITIAL_STATE: TaskState = taskState.parse({ v: 1 });

/** The same of a task that is deployed with `enabled: false`: it never ran, so what it has collected does not age. */
const INITIAL_PAUSE: TaskState = { ...INITIAL_STATE, desired: 'Paused', stops: [[0, null]] };

/** A parameter holds 4 KB; so many spans leave room for the rest. */
const SPANS_AT_MOST = 60;
/** Causes come from servers' answers, and can be long; each is kept twice. */
const CAUSE_BYTES = 800;

/**
 * Reads a parameter's text. What is no state any more, or not yet, is the initial one.
 *
 * @param isEnabled Whether the task is deployed to run; what was written since counts for more.
 */
export function readState(text: string | undefined, isEnabled = true): TaskState {
  const initial = isEnabled ? INITIAL_STATE : INITIAL_PAUSE;
  try {
    return taskState.parse({ ...initial, ...JSON.parse(text ?? '') });
  } catch {
    return initial;
  }
}

/** Whether the task's mappings are to be on. */
export function isToRun({ desired, halt }: TaskState): boolean {
  return desired === 'Running' && halt === undefined;
}

/** What a message, other than `reconcile`, makes of a state. */
export function afterMessage(state: TaskState, message: ControlMessage, now: number): TaskState {
  if (message.kind === 'enable')
    return timed({ ...state, desired: 'Running', intakeStopped: false, halt: undefined }, now);
  if (message.kind === 'pause') return timed({ ...state, desired: 'Paused', intakeStopped: message.stopIntake }, now);
  // A report sent before the task was enabled last tells of what has been put right since.
  if (message.kind === 'halt' && message.at >= enabledAt(state)) {
    const halt = { why: message.why, cause: cut(message.cause) };
    return timed({ ...state, halt: state.halt?.why === 'blocked' ? state.halt : halt }, now);
  }
  return state;
}

function cut(cause: string): string {
  let short = cause.slice(0, CAUSE_BYTES);
  while (Buffer.byteLength(JSON.stringify(short)) > CAUSE_BYTES) short = short.slice(0, -10);
  return short.toWellFormed();
}

/** The state of a task whose probe went well. */
export function afterRecovery(state: TaskState, now: number): TaskState {
  return timed({ ...state, halt: undefined }, now);
}

/** The state of a stopped task whose probe went wrong. */
export function stillStopped(state: TaskState, cause: string): TaskState {
  const halt = { why: 'stopped' as const, cause: cut(cause) };
  return halt.cause === state.halt?.cause ? state : { ...state, halt };
}

/** What its mappings say makes the status, in the words of ApsaraMQ's console. */
export function observed(state: TaskState, mappings: readonly string[], now: number): TaskState {
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

function timed(state: TaskState, now: number): TaskState {
  const last = state.stops.at(-1);
  const isOpen = last !== undefined && last[1] === null;
  if (isToRun(state) && isOpen) return { ...state, stops: [...state.stops.slice(0, -1), [last[0], now]] };
  if (!isToRun(state) && !isOpen) return { ...state, stops: bounded([...state.stops, [now, null]]) };
  return state;
}

// The oldest two become one, from the first's beginning to the second's end: a message then counts as younger than it is.
function bounded(stops: TaskState['stops']): TaskState['stops'] {
  if (stops.length <= SPANS_AT_MOST) return stops;
  const [first, second, ...rest] = stops as [TaskState['stops'][number], TaskState['stops'][number]];
  return [[first[0], second[1]], ...rest];
}

function enabledAt({ stops }: TaskState): number {
  return stops.at(-1)?.[1] ?? 0;
}

/** Milliseconds between two times during which a task did not run. */
export function stoppedWithin({ stops }: TaskState, from: number, to: number): number {
  return stops.reduce((sum, [start, end]) => {
    return sum + Math.max(0, Math.min(end ?? to, to) - Math.max(start, from));
  }, 0);
}
