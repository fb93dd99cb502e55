import * as z from 'zod';

/**
 * A message on the control queue of a stack. Workers report an open circuit or a blocked task (`halt`), the command enables
 * and pauses tasks, and each minute the control function reconciles them.
 */
export const controlMessage = z.discriminatedUnion('kind', [
  /** The task cannot continue: its circuit is open (`stopped`), or a failed message blocks it (`blocked`). */
  z.object({
    kind: z.literal('halt'),
    task: z.string(),
    why: z.enum(['stopped', 'blocked']),
    cause: z.string(),
    /** When the worker sent the report: milliseconds since 1970. */
    at: z.number(),
    /** All messages behind an open circuit come from one device, so the fault may be that device's. */
    isOneDevice: z.boolean().optional(),
    /** The message that blocks the task. */
    message: z.string().optional(),
  }),
  z.object({ kind: z.literal('enable'), task: z.string() }),
  /** Dead-letters the message that blocks the task, and enables the task. Another message than the one that blocks it changes nothing. */
  z.object({ kind: z.literal('skip'), task: z.string(), message: z.string() }),
  /** `stopIntake` disables the task's rules too; without it the buffer continues to fill. */
  z.object({ kind: z.literal('pause'), task: z.string(), stopIntake: z.boolean().default(false) }),
  /** Brings the event source mappings and rules of a task into line with its state; of every task when `task` is absent. */
  z.object({ kind: z.literal('reconcile'), task: z.string().optional() }),
]);
export type ControlMessage = z.output<typeof controlMessage>;
