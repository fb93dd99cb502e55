import {
  afterMessage,
  afterRecovery,
  type ControlMessage,
  isToRun,
  observed,
  stillStopped,
  type TaskState,
} from '../core/control.ts';
import type { Connectivity } from '../core/control-requests.ts';

/** What the control function can see and do of one task, on AWS or in one process. */
export interface TaskPorts {
  readState(): Promise<TaskState>;
  writeState(state: TaskState): Promise<void>;
  /** States of the task's mappings in AWS Lambda's words: Enabled, Enabling, Disabled … */
  mappingStates(): Promise<readonly string[]>;
  /** Switches all of the task's mappings, always together. One that is still changing is left to the next minute. */
  setMappings(enabled: boolean): Promise<void>;
  setRules(enabled: boolean): Promise<void>;
  testConnectivity(): Promise<Connectivity>;
  /** Takes one message that waits through the worker. @returns why the task still cannot go on, if it cannot. */
  tryOne(): Promise<string | undefined>;
}

const ON = new Set(['Creating', 'Enabling', 'Enabled']);
const OFF = new Set(['Disabling', 'Disabled']);

/** Makes a task what a message, its operator's wish and its sink's health say it is to be. @returns its new state. */
export async function control(message: ControlMessage, task: TaskPorts, now: () => number): Promise<TaskState> {
  const known = await task.readState();
  let state = afterMessage(known, message, now());
  if (message.kind === 'reconcile') state = await probed(state, task, now);
  // Only a state that says so gets rules switched: so they go on before it forgets that they are off.
  if (known.intakeStopped && !state.intakeStopped) await task.setRules(true);
  // What else is wanted is written down before it is done: if this stops half-way, the next minute does the rest.
  if (state !== known) await task.writeState(state);

  const wanted = isToRun(state);
  const isOtherwise = (mapping: string) => (wanted ? OFF : ON).has(mapping);
  if ((await task.mappingStates()).some(isOtherwise)) await task.setMappings(wanted);
  if (state.intakeStopped) await task.setRules(false);

  const seen = observed(state, await task.mappingStates(), now());
  if (seen !== state) await task.writeState(seen);
  return seen;
}

/** A stopped task goes on by itself once its sink answers, and takes one message first. A blocked one waits for its operator. */
async function probed(state: TaskState, task: TaskPorts, now: () => number): Promise<TaskState> {
  if (state.desired !== 'Running' || state.halt?.why !== 'stopped') return state;
  const cause = await whyNot(task);
  return cause === undefined ? afterRecovery(state, now()) : stillStopped(state, cause);
}

async function whyNot(task: TaskPorts): Promise<string | undefined> {
  try {
    const { ok, detail } = await task.testConnectivity();
    return ok ? await task.tryOne() : detail;
  } catch (error) {
    // A function that fails at this is no reason to leave what its operator asks for undone.
    return `the probe failed: ${(error as Error).message}`;
  }
}
