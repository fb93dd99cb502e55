import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NeverRetry } from '../../lambdas/core/errors.ts';
import { parseSpec } from '../../lambdas/core/spec.ts';
import { kinesisOptions } from '../../lambdas/deliver/kinesis/config.ts';
import type { Records } from '../../lambdas/step/step.ts';
import type { CompiledStep } from '../../lambdas/step/steps.ts';
import { compilePipeline, newProgress, prepare } from '../../lambdas/worker/pipeline.ts';
import { envelope } from '../support/messages.ts';

const spec = parseSpec(
  {
    v: 1,
    task: 'Steps',
    source: { type: 'iot-core', filters: ['#'] },
    sink: { type: 'kinesis', stream: 's', partitionKey: 'k' },
  },
  kinesisOptions,
);
const message = (id: string) => ({ id, body: JSON.stringify(envelope('x', { id })), sentAt: 0, attempt: 0 });
/** A request with the id of the record that it was rendered from. */
const render = (_: object, event: object) => (event as { id: string }).id;
const pipelineOf = (...steps: Omit<CompiledStep, 'name'>[]) =>
  compilePipeline(spec, [render], () => steps.map((step) => ({ name: 'test', ...step })));

/** A step that makes a number of records from each, taken from a list in turn, at once or later. */
const splitting = (counts: readonly number[], waits: boolean): Omit<CompiledStep, 'name'> => {
  let n = 0;
  return {
    stage: 'transform',
    apply(record): Records | Promise<Records> {
      const count = counts[n++ % counts.length]!;
      const made = count === 0 ? undefined : Array.from({ length: count }, () => record);
      return waits ? Promise.resolve(made) : made;
    },
  };
};

describe('the pipeline', () => {
  it('numbers children alike and in order, whether steps wait or not', async () => {
    const step = fc.array(fc.nat(3), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 3 }),
        fc.array(fc.boolean(), { minLength: 3 }),
        async (all, waits) => {
          const childrenWith = async (waiting: (n: number) => boolean) => {
            const steps = all.map((counts, n) => splitting(counts, waiting(n)));
            const [progress] = await prepare([message('m')], pipelineOf(...steps));
            return progress!.children;
          };
          const children = await childrenWith(() => false);
          expect(await childrenWith((n) => waits[n]!)).toEqual(children);
          const ids = children.map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
          expect(children.map(({ request }) => request)).toEqual(ids);
        },
      ),
    );
  });

  it('makes no promise where no step waits', () => {
    const pending = pipelineOf(splitting([3], false))(message('m'), newProgress());
    expect(pending).toBeUndefined();
  });

  it('names the stage that failed, also where another message is processed meanwhile', async () => {
    const failing = pipelineOf(
      { stage: 'filter', apply: async (record) => record },
      {
        stage: 'transform',
        async apply({ id }) {
          await Promise.resolve();
          throw new NeverRetry('TRANSFORM_FAILED', id);
        },
      },
    );
    const progresses = await prepare([message('a'), message('b')], failing);
    expect(progresses.map(({ stage, error }) => [stage, error?.message])).toEqual([
      ['transform', 'a'],
      ['transform', 'b'],
    ]);
  });
});
