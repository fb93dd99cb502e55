import type { SQSEvent } from 'aws-lambda';
import { reconcile, type TaskPorts } from '../../lambdas/control/reconcile.ts';
import type { ControlMessage } from '../../lambdas/core/control-message.ts';
import type {
  Connectivity,
  ConnectivityRequest,
  ProbeResponse,
  ReadRequest,
  ReadResponse,
} from '../../lambdas/core/control-requests.ts';
import { readState, stoppedMsWithin, type TaskState, UNWRITTEN_STATE } from '../../lambdas/core/task-state.ts';
import type { SkippedMessages } from '../../lambdas/worker/skipped-messages.ts';
import type { StoppedTime } from '../../lambdas/worker/stopped-time.ts';
import type { LocalMqttSource } from './mqtt-source.ts';
import type { Mapping } from './queue/mapping.ts';
import type { Queue } from './queue/queue.ts';
import { toRecord } from './queue/record.ts';
import { REGION } from './resolve.ts';

/** The control of one task: the control function's logic, on the mappings and rules of this process. */
export interface LocalControl {
  /** Carries out a message after the previous ones, and resolves with the task's state. */
  send(message: ControlMessage): Promise<TaskState>;
  readonly state: TaskState;
  readonly stopped: StoppedTime;
  readonly skipped: SkippedMessages;
  testConnectivity(): Promise<Connectivity>;
  /** Has the worker read what arrived at the sink's target. */
  read(request: Omit<ReadRequest, 'outflow'>): Promise<ReadResponse>;
  /** Resolves when all messages are carried out. */
  idle(): Promise<void>;
}

export interface LocalControlOptions {
  readonly mappings: () => readonly Pick<Mapping, 'state' | 'enable' | 'disable'>[];
  readonly retryQueue: Queue | undefined;
  /** Names of the task's topic rules. */
  readonly rules: readonly string[];
  /** Names of all disabled rules; the control adds and removes the task's. */
  readonly disabledRules: Set<string>;
  /** Sources that hold connections of their brokers. */
  readonly sources: () => readonly Pick<LocalMqttSource, 'start' | 'stop'>[];
  /** Invokes the worker. */
  readonly invoke: (event: never) => Promise<unknown>;
  /** Whether the task is enabled when it is deployed. */
  readonly isEnabled: boolean;
  readonly onError: (error: Error) => void;
}

export function localControl(options: LocalControlOptions): LocalControl {
  const { mappings, retryQueue, rules, disabledRules, sources, onError } = options;
  const invoke = options.invoke as (event: object) => Promise<unknown>;
  let state = readState(UNWRITTEN_STATE, options.isEnabled);
  let last: Promise<unknown> = Promise.resolve();

  const ports: TaskPorts = {
    readState: async () => state,
    async writeState(next) {
      state = next;
    },
    mappingStates: async () => mappings().map((mapping) => mapping.state),
    async setMappings(enabled) {
      // Disabling does not wait for running invocations: one of them may have requested it.
      for (const mapping of mappings()) {
        if (enabled) mapping.enable();
        else mapping.disable().catch(onError);
      }
    },
    async setIntake(enabled) {
      for (const rule of rules)
        if (enabled) disabledRules.delete(rule);
        else disabledRules.add(rule);
      for (const source of sources())
        if (enabled) source.start();
        else await source.stop();
    },
    testConnectivity: () =>
      invoke({ outflow: 'testConnectivity' } satisfies ConnectivityRequest) as Promise<Connectivity>,
    async tryOne() {
      const [message] = retryQueue?.receive(1) ?? [];
      if (message === undefined || retryQueue === undefined) return undefined;
      const event: SQSEvent = { Records: [toRecord(message, retryQueue.arn, REGION)] };
      const { batchItemFailures, halt } = (await invoke({ outflow: 'probe', ...event })) as ProbeResponse;
      if (batchItemFailures.length === 0) retryQueue.delete(message.receiptHandle);
      return halt;
    },
  };

  return {
    send(message) {
      const next = last.then(() => reconcile(message, ports, Date.now));
      last = next.catch(() => {});
      return next;
    },
    get state() {
      return state;
    },
    stopped: { within: async (from, to) => stoppedMsWithin(state, from, to) },
    skipped: { has: async (id) => state.skipped.includes(id) },
    testConnectivity: () => ports.testConnectivity(),
    read: (request) => invoke({ outflow: 'read', ...request } satisfies ReadRequest) as Promise<ReadResponse>,
    async idle() {
      await last;
    },
  };
}
