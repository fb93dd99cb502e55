import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reconcile, type TaskPorts } from '../../lambdas/control/reconcile.ts';
import type { ControlMessage } from '../../lambdas/core/control-message.ts';
import {
  INITIAL_STATE,
  readState,
  stoppedMsWithin,
  type TaskState,
  UNWRITTEN_STATE,
} from '../../lambdas/core/task-state.ts';
import { anyCharacter } from '../support/characters.ts';
import { runs } from '../support/property-runs.ts';

const halt = (why: 'stopped' | 'blocked', at: number): ControlMessage => ({
  kind: 'halt',
  task: 't',
  why,
  cause: `${why} at ${at}`,
  at,
});

/** A task in memory. Its parameter, like one of AWS Systems Manager, holds 4 KB of text. */
function taskAt(start: number) {
  const world = { now: start, text: JSON.stringify(INITIAL_STATE), on: true, rules: true, sink: true };
  const ports: TaskPorts = {
    readState: async () => readState(world.text),
    async writeState(state) {
      world.text = JSON.stringify(state);
      expect(Buffer.byteLength(world.text)).toBeLessThanOrEqual(4096);
    },
    mappingStates: async () => [world.on, world.on].map((on) => (on ? 'Enabled' : 'Disabled')),
    async setMappings(enabled) {
      world.on = enabled;
    },
    async setIntake(enabled) {
      world.rules = enabled;
    },
    testConnectivity: async () => (world.sink ? { ok: true, detail: 'fine' } : { ok: false, detail: 'refused' }),
    tryOne: async () => undefined,
  };
  return { world, ports, send: (message: ControlMessage) => reconcile(message, ports, () => world.now) };
}

/** Makes one call of the ports fail, before or after its effect. */
function failing(ports: TaskPorts, failsAt: number, takesEffect: boolean): TaskPorts {
  let calls = 0;
  return new Proxy(ports, {
    get: (target, name: keyof TaskPorts) =>
      async function call(...values: never[]) {
        const fails = calls++ === failsAt;
        const answer =
          fails && !takesEffect ? undefined : await (target[name] as (...values: never[]) => unknown)(...values);
        if (fails) throw new Error(`${name} fails`);
        return answer;
      },
  });
}

describe('reconciliation (D19–D23, F33)', () => {
  it('takes the error of a probe as the cause, and truncates long causes', async () => {
    const text = fc.string({ unit: anyCharacter, minLength: 1, maxLength: 3_000 });
    await fc.assert(
      fc.asyncProperty(text, text, fc.nat(70), async (reported, thrown, pauses) => {
        const { world, ports } = taskAt(1_795_251_600_000);
        const send = (message: ControlMessage) => reconcile(message, ports, () => world.now++);
        for (let n = 0; n < pauses; n++) {
          await send({ kind: 'pause', task: 't', stopIntake: false });
          await send({ kind: 'enable', task: 't' });
        }
        await send({ ...halt('stopped', world.now), cause: reported } as ControlMessage);
        ports.tryOne = async () => {
          throw new Error(thrown);
        };
        const { status, cause } = await send({ kind: 'reconcile', task: 't' });
        expect(status).toBe('Start Failed');
        expect(cause).toMatch(/^the probe failed: /);
        // The operator's request is carried out nevertheless.
        expect((await send({ kind: 'pause', task: 't', stopIntake: false })).status).toBe('Paused');
      }),
      { numRuns: runs(30) },
    );
  });

  it('brings the task into line with its state, at whichever call the previous run failed (D21)', async () => {
    const steps = fc.array(
      fc.record({
        does: fc.constantFrom<ControlMessage>(
          { kind: 'enable', task: 't' },
          { kind: 'pause', task: 't', stopIntake: true },
          { kind: 'pause', task: 't', stopIntake: false },
          { kind: 'reconcile', task: 't' },
          halt('blocked', 1_000),
        ),
        /** Index of the call that fails, from the first call of the message. */
        failsAt: fc.integer({ min: 0, max: 8 }),
        takesEffect: fc.boolean(),
      }),
      { maxLength: 20 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { world, ports } = taskAt(0);
        for (const { does, failsAt, takesEffect } of all) {
          world.now += 1_000;
          await reconcile(does, failing(ports, failsAt, takesEffect), () => world.now).catch(() => {});
          const { intakeStopped, ...state } = await reconcile({ kind: 'reconcile', task: 't' }, ports, () => world.now);
          expect(world).toMatchObject({ on: state.desired === 'Running' && !state.halt, rules: !intakeStopped });
        }
      }),
    );
  });

  it('runs a task when it is desired and its circuit is closed, and records all time in which it does not run', async () => {
    const step = fc.record({
      does: fc.constantFrom(
        'enable',
        'pause',
        'stop intake',
        'stopped',
        'blocked',
        'reconcile',
        'sink fails',
        'sink works',
      ),
      afterMs: fc.integer({ min: 1, max: 100_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), async (steps) => {
        const start = 1_795_251_600_000;
        const { world, send } = taskAt(start);
        let state: TaskState = INITIAL_STATE;
        let stoppedMs = 0;
        for (const { does, afterMs } of steps) {
          if (!world.on) stoppedMs += afterMs;
          world.now += afterMs;
          if (does === 'sink fails' || does === 'sink works') world.sink = does === 'sink works';
          else if (does === 'stopped' || does === 'blocked') state = await send(halt(does, world.now));
          else if (does === 'stop intake') state = await send({ kind: 'pause', task: 't', stopIntake: true });
          else if (does === 'pause') state = await send({ kind: 'pause', task: 't', stopIntake: false });
          else state = await send({ kind: does as 'enable' | 'reconcile', task: 't' });
          expect(world.on).toBe(state.desired === 'Running' && state.halt === undefined);
          expect(world.rules).toBe(!state.intakeStopped);
        }
        // Old spans may be merged, which makes messages younger.
        expect(stoppedMsWithin(state, start, world.now)).toBeGreaterThanOrEqual(stoppedMs);
        if (state.stops.length < 60) expect(stoppedMsWithin(state, start, world.now)).toBe(stoppedMs);
      }),
    );
  });

  it('starts a task as it is deployed; a written state overrides this, and messages do not age before the first start', async () => {
    const start = 1_795_251_600_000;
    const { world, ports } = taskAt(start);
    world.text = UNWRITTEN_STATE;
    world.on = false;
    const deployed = { ...ports, readState: async () => readState(world.text, false) };
    const send = (kind: 'reconcile' | 'enable') => reconcile({ kind, task: 't' }, deployed, () => world.now);
    expect(await send('reconcile')).toMatchObject({ desired: 'Paused', status: 'Paused' });
    world.now += 60_000;
    const enabled = await send('enable');
    expect(enabled).toMatchObject({ desired: 'Running', status: 'Running' });
    expect(stoppedMsWithin(enabled, start - 30_000, world.now)).toBe(90_000);
    expect(readState(world.text, false)).toEqual(enabled);
  });

  it('leaves a task running when one device is at fault and the sink answers', async () => {
    const { world, send } = taskAt(1000);
    const oneDevice = { ...halt('stopped', 2000), isOneDevice: true } as ControlMessage;
    const text = world.text;
    expect((await send(oneDevice)).halt).toBeUndefined();
    expect(world).toMatchObject({ on: true, text });
    world.sink = false;
    expect(await send(oneDevice)).toMatchObject({ halt: { why: 'stopped' }, status: 'Start Failed' });
  });

  it('reports the status, its cause and since when it lasts', async () => {
    const { world, send } = taskAt(1000);
    expect(await send({ kind: 'reconcile', task: 't' })).toMatchObject({ status: 'Running', since: 1000 });
    world.now = 2000;
    world.sink = false;
    expect(await send(halt('stopped', 1900))).toMatchObject({
      status: 'Start Failed',
      cause: 'stopped at 1900',
      since: 2000,
    });
    world.now = 3000;
    expect(await send({ kind: 'reconcile', task: 't' })).toMatchObject({
      status: 'Start Failed',
      cause: 'refused',
      since: 2000,
    });
    world.sink = true;
    expect(await send({ kind: 'reconcile', task: 't' })).toMatchObject({ status: 'Running', since: 3000 });
    world.now = 4000;
    expect(await send(halt('blocked', 3500))).toMatchObject({ status: 'Ready', cause: 'blocked at 3500' });
    expect(await send({ kind: 'reconcile', task: 't' })).toMatchObject({ status: 'Ready', since: 4000 });
    world.now = 5000;
    expect(await send({ kind: 'enable', task: 't' })).toMatchObject({ status: 'Running', since: 5000 });
    // The worker sent this report before the operator enabled the task.
    expect(await send(halt('blocked', 4500))).toMatchObject({ status: 'Running' });
  });
});
