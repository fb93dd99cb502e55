import { expect, it } from 'vitest';
import { withinResponse } from '../../lambdas/worker/read-response.ts';

const record = (bytes: number) => ({ target: 't', key: '', time: 0, position: 'b:0:0', body: 'x'.repeat(bytes) });

it('holds all records that fit into the response of a function, the first ones, and reports others', () => {
  expect(withinResponse([record(10), record(20)])).toEqual({
    ok: true,
    records: [record(10), record(20)],
    isCut: false,
  });
  const large = Array.from({ length: 10 }, () => record(1_000_000));
  const response = withinResponse(large);
  expect(response).toMatchObject({ isCut: true, records: { length: 5 } });
  expect(JSON.stringify(response).length).toBeLessThan(6 * 1024 * 1024);
});
