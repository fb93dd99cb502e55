import type { ControlMessage } from '../core/control-message.ts';
import type { Connectivity } from '../core/control-requests.ts';
import {
  afterFailedProbe,
  afterMessage,
  afterRecovery,
  shouldRun,
  type TaskState,
  withStatus,
} from '../core/task-state.ts';

/** What the control function reads and changes of one task, on AWS or in one process. */
export interface TaskPorts {
  readState(): Promise<TaskState>;
  writeState(state: TaskState): Promise<void>;
  /** Returns the states of the task's event source mappings: `Enabled`, `Enabling`, `Disabled` … (AWS Lambda API). */
  mappingStates(): Promise<readonly string[]>;
  /** Enables or disables all event source mappings together. A mapping that is still changing is left to the next minute. */
  setMappings(enabled: boolean): Promise<void>;
  /** Enables or disables the task's topic rules, and starts or stops its sources that hold connections. */
  setIntake(enabled: boolean): Promise<void>;
  testConnectivity(): Promise<Connectivity>;
  /**
   * Has the worker process one deferred message, after a connectivity test that passed: a failure is charged to the message.
   *
   * @returns why the task still cannot continue; undefined when it can.
   */
  tryOne(): Promise<string | undefined>;
}

const ON = new Set(['Creating', 'Enabling', 'Enabled']);
const OFF = new Set(['Disabling', 'Disabled']);

/** Applies a control message to a task, then brings its mappings and its intake into line with its state. @returns the new state. */
export async function reconcile(message: ControlMessage, task: TaskPorts, now: () => number): Promise<TaskState> {
  const known = await task.readState();
  if (known.halt === undefined && (await isOneDevicesFault(message, task))) return known;
  let state = afterMessage(known, message, now());
  // A thousand workers report the same.
  if (message.kind === 'halt' && state === known) return known;
  if (message.kind === 'reconcile') state = await probed(state, task, now);
  // The intake starts before the state is written: only a state with `intakeStopped` gets it started on a later run.
  if (known.intakeStopped && !state.intakeStopped) await task.setIntake(true);
  // All other changes follow the write, so that the next minute completes an interrupted run.
  if (state !== known) await task.writeState(state);

  const isOn = shouldRun(state);
  const differs = (mapping: string) => (isOn ? OFF : ON).has(mapping);
  let mappings = await task.mappingStates();
  if (mappings.some(differs)) {
    await task.setMappings(isOn);
    mappings = await task.mappingStates();
  }
  if (state.intakeStopped) await task.setIntake(false);

  const seen = withStatus(state, mappings, now());
  if (seen !== state) await task.writeState(seen);
  return seen;
}

/**
 * Whether one device's messages are at fault for a report, and not the sink, which answers. The worker retries and dead-letters
 * such messages by their own retry policy, so the task goes on for the others.
 */
async function isOneDevicesFault(message: ControlMessage, task: TaskPorts): Promise<boolean> {
  if (message.kind !== 'halt' || !message.isOneDevice) return false;
  try {
    return (await task.testConnectivity()).ok;
  } catch {
    return false;
  }
}

/** Probes an open circuit: the sink has to answer, and one message must not block the task. A blocked task waits for its operator. */
async function probed(state: TaskState, task: TaskPorts, now: () => number): Promise<TaskState> {
  if (state.desired !== 'Running' || state.halt?.why !== 'stopped') return state;
  const cause = await probe(task);
  return cause === undefined ? afterRecovery(state, now()) : afterFailedProbe(state, cause);
}

async function probe(task: TaskPorts): Promise<string | undefined> {
  try {
    const { ok, detail } = await task.testConnectivity();
    return ok ? await task.tryOne() : detail;
  } catch (error) {
    // A failed probe must not prevent what the operator requested.
    return `the probe failed: ${(error as Error).message}`;
  }
}
