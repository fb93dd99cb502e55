import { App, Stack } from 'aws-cdk-lib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../lambdas/core/errors.ts';
import { compileIotSql } from '../../lambdas/core/sql/aws/engine.ts';
import { matchesTopicFilter } from '../../lambdas/core/topic-filter.ts';
import { tryTask } from '../../lambdas/testing/index.ts';
import { IotTopicSource, KinesisSink, NoBuffer, OutflowTask, type OutflowTaskProps } from '../../lib/index.ts';
import { runs } from '../support/property-runs.ts';

const SCRIPTS = ['${topic}', '${.}', '${$}{id}', '$.data', '$..*', '?(@.a==1)', "*[?(@['x'])]", '<$.data>', '$&', '$1'];
const hostile = fc
  .array(
    fc.oneof(fc.constantFrom(...SCRIPTS), fc.string({ unit: fc.constantFrom('$', '{', '}', '*', '"', '\\', 'é') })),
  )
  .map((parts) => parts.join(''));

const specOf = (sink: object, over: object = {}) => ({
  v: 1,
  task: 'T',
  source: { type: 'iot-core', filters: ['#'] },
  sink: { type: 'kinesis', stream: 's', partitionKey: 'k', payload: '${payload}', ...sink },
  ...over,
});

describe('text of a publisher', () => {
  it('S06 is inserted at its placeholder, once, and is never a template or a path', async () => {
    const template = '<${payload.a}|${payload.b.c}|${topic}|${clientid}|${pub_props.User-Property.p}|${payload}>';
    await fc.assert(
      fc.asyncProperty(fc.tuple(hostile, hostile, hostile, hostile, hostile), async ([a, c, name, clientid, p]) => {
        const payload = JSON.stringify({ a, b: { c, [name]: a } });
        const topic = `t/${name}`;
        const { requests } = await tryTask(specOf({ payload: template, partitionKey: 'k${clientid}' }), {
          topic,
          clientid,
          payload,
          userProperties: [['p', p]],
        });
        expect(requests).toEqual([
          {
            stream: 's',
            partitionKey: `k${clientid}`,
            data: `<${a}|${c}|${topic}|${clientid}|${p}|${payload}>`,
          },
        ]);
      }),
    );
  });

  it('S06 selects no stream but the one that the template renders', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (site) => {
        const result = await tryTask(specOf({ stream: 'mine-${payload.site}' }), { topic: 't', payload: { site } });
        if (result.outcome === 'delivered') expect(result.requests![0]!['stream']).toBe(`mine-${site}`);
        else expect(result.error).toMatchObject({ code: 'INVALID_TARGET', stage: 'render' });
      }),
    );
  });

  it('S06 is compared with a pattern, and is never a pattern', async () => {
    const operators = fc.constantFrom({ exists: true }, { prefix: '' }, { wildcard: '*' }, { 'anything-but': 'x' });
    const value = fc.oneof(hostile, fc.constantFrom('*', 'exact*', '{"prefix":""}'), operators, fc.tuple(operators));
    await fc.assert(
      fc.asyncProperty(value, async (a) => {
        const filter = { data: { body: { a: ['exactly', { prefix: 'p:' }] } } };
        expect(await tryTask(specOf({}, { filter }), { topic: 't', payload: { a } })).toMatchObject({
          outcome: 'filtered',
        });
      }),
    );
  });
});

describe('options of a task', () => {
  const stack = new Stack(new App(), 'Test');
  let made = 0;
  const declare = (props: Partial<OutflowTaskProps> = {}) => {
    return new OutflowTask(stack, `T${made++}`, {
      source: new IotTopicSource('t'),
      sink: new KinesisSink('s', { partitionKey: '${clientid}', payload: '${payload}' }),
      ...props,
    });
  };
  const sqlOf = (filters: string[]) =>
    declare({ source: new IotTopicSource(filters) }).rules.map(({ topicRulePayload }) => {
      return (topicRulePayload as { sql: string }).sql;
    });

  it("S07 topic filters are refused, or the rules' SQL matches the same topics", () => {
    const usual = fc.constantFrom('a', 'b', 'a/', '/b', '+/', '/#');
    const unusual = fc.constantFrom('+', '#', "'", '"', '\\', '\n', '\r', '\0', '--', '/*', ' WHERE 1=1', '${');
    const bit = fc.oneof({ weight: 3, arbitrary: usual }, unusual);
    const filter = fc.array(bit, { minLength: 1, maxLength: 6 }).map((bits) => bits.join(''));
    const topics = [
      'a',
      'b',
      'a/b',
      'b/a',
      'a/a/b',
      '/',
      "a'",
      'x',
      '$aws/a',
      'a WHERE 1=1',
      '--',
      '/*',
      '${',
      'a/',
      'a/b\n',
      'a/b/n\nl',
      '\na/b',
      'a\u2028/b',
      'b\r\n',
      '\u0085',
    ];
    const tries = runs(150);
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(filter, { minLength: 1, maxLength: 2 }), (filters) => {
        let rules: string[];
        try {
          rules = sqlOf(filters);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidOptionError);
          expect((error as InvalidOptionError).option).toMatch(/^T\d+\.source\.filters/);
          return;
        }
        accepted++;
        for (const sql of rules) expect(sql).not.toMatch(/["\\\n\r\0]/);
        const compiled = rules.map((sql) => compileIotSql(sql));
        for (const topic of [...topics, ...filters.filter((each) => !/[+#\0]/.test(each))]) {
          const fired = compiled.filter((rule) => rule.evaluate({ topic, payload: Buffer.of() }) !== undefined);
          const expected = filters.some((each) => matchesTopicFilter(each, topic)) ? 1 : 0;
          expect([filters, topic, fired.length]).toEqual([filters, topic, expected]);
        }
      }),
      { numRuns: tries, examples: [[['a/+', '#']]] },
    );
    expect(accepted).toBeGreaterThan(tries / 30);
  });

  it('S07 text that AWS IoT Core would read as a substitution template is refused', () => {
    const native = (partitionKey: string) => () =>
      declare({
        sink: new KinesisSink('s', { partitionKey, payload: '${payload}' }),
        buffer: new NoBuffer({ payload: 'reserialised' }),
      });
    for (const key of ['${$}{principal()}', '${$}{get_secret("x")}', 'a${$}{b', '${get_secret("x")}', '${payload.x}'])
      expect(native(key)).toThrow(/sink\.partitionKey: got/);
    expect(native('d-${clientid}-${topic}')).not.toThrow();
  });
});
