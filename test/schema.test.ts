import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { app } from '../bin/app.ts';
import { taskJsonSchema } from '../lambdas/deliver/schema.ts';
import { readAssembly, readSpec } from '../localstack/one-process/assembly.ts';

const schema = JSON.parse(readFileSync('docs/task.schema.json', 'utf8'));
const validate = new Ajv.default({ strict: false }).compile(schema);

interface Spec {
  v: number;
  task: string;
  source: object;
  sink: object;
}
const spec: Spec = {
  v: 1,
  task: 'Telemetry',
  source: { type: 'iot-core', filters: ['t/#'] },
  sink: { type: 'kinesis', stream: 's', partitionKey: '${clientid}' },
};

describe('the JSON Schema of a task', () => {
  it('is the one that synth and workers parse with (`npm run schema` writes it)', () =>
    expect(schema).toEqual(taskJsonSchema()));

  it('takes every example', () => {
    const assembly = app.synth().directory;
    const specs = readAssembly(assembly).flatMap((stack) =>
      stack.tasks.map(({ worker }) => readSpec(stack, stack.template.Resources![worker!]!)),
    );
    expect(specs.length).toBeGreaterThan(0);
    for (const example of [...specs, spec]) expect([validate(example), validate.errors]).toEqual([true, null]);
  });

  it.each<[string, (spec: Spec) => object]>([
    ['an unknown version', (s) => ({ ...s, v: 2 })],
    ['an unknown option', (s) => ({ ...s, batchpush: {} })],
    ['no sink', ({ sink: _, ...s }) => s],
    ['an unknown sink', (s) => ({ ...s, sink: { ...s.sink, type: 'kafka' } })],
    ['no partition key', (s) => ({ ...s, sink: { type: 'kinesis', stream: 's' } })],
    ['more records than PutRecords takes', (s) => ({ ...s, sink: { ...s.sink, maxRecords: 501 } })],
    ['no filter', (s) => ({ ...s, source: { ...s.source, filters: [] } })],
    ['a filter that is too long', (s) => ({ ...s, source: { ...s.source, filters: ['x'.repeat(257)] } })],
    ['an unknown data format', (s) => ({ ...s, source: { ...s.source, dataFormat: 'JSON' } })],
    ['too many messages', (s) => ({ ...s, batchPush: { messages: 10_001, intervalSeconds: 1 } })],
    ['too long an interval', (s) => ({ ...s, batchPush: { messages: 1, intervalSeconds: 16 } })],
    ['a task name with a space', (s) => ({ ...s, task: 'a b' })],
  ])('refuses %s', (_, change) => expect(validate(change(spec))).toBe(false));
});
