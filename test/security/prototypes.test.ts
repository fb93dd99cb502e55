import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack, Stage } from 'aws-cdk-lib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { tryTask } from '../../lambdas/testing/index.ts';
import { IotTopicSource, KinesisSink, OutflowTask } from '../../lib/index.ts';

const DANGEROUS = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'];
const key = fc.constantFrom(...DANGEROUS, 'a');

// Text, because `__proto__` in an object literal is not a key. Only text keeps every digit of these numbers.
const text = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 6 }, fc.constantFrom('1.0', '"x"', 'null'), tie('object'), tie('object')),
  object: fc
    .array(fc.tuple(key, tie('value')), { maxLength: 3 })
    .map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`),
})).object;

const specOf = (sink: object, over: object = {}) => ({
  v: 1,
  task: 'T',
  source: { type: 'iot-core', filters: ['#'] },
  sink: { type: 'kinesis', stream: 's', partitionKey: 'k', ...sink },
  ...over,
});

const shape = () =>
  [Object.prototype, Array.prototype, Function.prototype].map((prototype) => [
    Object.getPrototypeOf(prototype),
    ...Reflect.ownKeys(prototype),
  ]);
const before = shape();

describe('keys that every object inherits', () => {
  afterEach(() => expect(shape()).toEqual(before));

  it('S09 are data at every depth of a payload', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (payload) => {
        const parsed = JSON.parse(payload);
        const whole = await tryTask(specOf({ payload: '{"all":${.}}' }), { topic: 't', payload });
        expect(JSON.parse(JSON.parse(whole.requests![0]!['data'] as string).all.payload)).toEqual(parsed);
        for (const name of DANGEROUS) {
          const one = await tryTask(specOf({ payload: `\${payload.${name}}` }), { topic: 't', payload });
          if (!Object.hasOwn(parsed, name)) expect(one.error?.code).toBe('TEMPLATE_VARIABLE_MISSING');
          else if (typeof parsed[name] === 'object' && parsed[name] !== null)
            expect(JSON.parse(one.requests![0]!['data'] as string)).toEqual(parsed[name]);
          else expect(one.outcome).toBe('delivered');
        }
      }),
    );
  });

  it('S09 match a pattern only where the message has them', async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.array(key, { minLength: 1, maxLength: 4 }), async (payload, path) => {
        const at = path.reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, '[{"exists":true}]');
        const filter = JSON.parse(`{"data":{"body":${at}}}`);
        const { outcome } = await tryTask(specOf({ payload: '${payload}' }, { filter }), { topic: 't', payload });
        let value: unknown = JSON.parse(payload);
        for (const name of path) value = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
        expect([filter, outcome]).toEqual([filter, value === undefined || isObject(value) ? 'filtered' : 'delivered']);
      }),
    );
  });

  it('S09 are valid names of user properties', async () => {
    const pairs = fc.array(fc.tuple(key, fc.constantFrom('x', 'y')), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(pairs, async (userProperties) => {
        const { requests, event } = await tryTask(specOf({}), { topic: 't', payload: '{}', userProperties });
        for (const found of [
          JSON.parse(requests![0]!['data'] as string).pub_props['User-Property'],
          event!.data.userProperties,
        ]) {
          for (const [name] of userProperties) {
            const values = userProperties.filter(([other]) => other === name).map(([, value]) => value);
            expect(Object.getOwnPropertyDescriptor(found, name)?.value).toEqual(values.length > 1 ? values : values[0]);
          }
        }
      }),
    );
  });

  it("S09 are valid names of user properties given as an object, and of a payload's fields", async () => {
    const given = `{${DANGEROUS.map((name) => `${JSON.stringify(name)}:["x","y"]`).join(',')}}`;
    const result = await tryTask(specOf({ payload: '${payload}' }), {
      topic: 't',
      payload: JSON.parse(given),
      userProperties: JSON.parse(given),
    });
    expect(result.requests![0]!['data']).toBe(given);
    expect(JSON.stringify(result.event!.data.userProperties)).toBe(given);
  });

  it.each(DANGEROUS)('S09 %s in a filter is a field of no payload, at synth and in the worker', async (name) => {
    const text = `{"data":{"body":{${JSON.stringify(name)}:{"x":["1"]}}},"subject":["t"]}`;
    const stack = new Stack(new App(), 'Test');
    new OutflowTask(stack, 'T', {
      source: new IotTopicSource('t'),
      sink: new KinesisSink('s', { partitionKey: 'k' }),
      filter: JSON.parse(text),
    });
    const spec = specOfAsset(stack);
    expect(JSON.stringify(spec['filter'])).toBe(text);
    expect(await tryTask(spec, { topic: 't', payload: '{}' })).toMatchObject({ outcome: 'filtered' });
    expect(await tryTask({ ...spec, filter: { subject: ['t'] } }, { topic: 't', payload: '{}' })).toMatchObject({
      outcome: 'delivered',
    });
  });

  it.each(DANGEROUS)('S09 %s is an unknown option of a spec', async (name) => {
    const spec = JSON.parse(
      JSON.stringify(specOf({ options: {} })).replace('"options":{}', `${JSON.stringify(name)}:{"payload":"x"}`),
    );
    await expect(tryTask(spec, { topic: 't' })).rejects.toThrow(`sink.${name}: got an unknown option`);
  });
});

function specOfAsset(stack: Stack): Record<string, unknown> {
  // The asset exists once the task is declared; a synthesis would take seconds.
  const directory = Stage.of(stack)!.assetOutdir;
  const file = readdirSync(directory, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('spec.json'));
  return JSON.parse(readFileSync(join(directory, file!), 'utf8'));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
