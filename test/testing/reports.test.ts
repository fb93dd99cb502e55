import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type SampleMessage, type TryResult, tryTask } from '../../lambdas/testing/index.ts';

interface Case {
  readonly id: string;
  readonly what: string;
  readonly spec: object;
  readonly message: Omit<SampleMessage, 'payload'> & { readonly payload: string | Readonly<Record<string, unknown>> };
  readonly right: {
    readonly outcome?: TryResult['outcome'];
    readonly code?: string;
    readonly stage?: string;
    /** Some of the request's fields. */
    readonly request?: object;
    /** Some fields of the JSON that the request carries. */
    readonly json?: object;
    readonly throws?: true;
  };
}

const folder = new URL('../cases/reports/', import.meta.url);
const cases = readdirSync(folder).map((name): Case => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));

const bytesOf = (payload: Case['message']['payload']) =>
  typeof payload === 'object' && typeof payload['base64'] === 'string'
    ? Buffer.from(payload['base64'], 'base64')
    : payload;

describe('messages of public reports end as they should', () => {
  for (const { id, what, spec, right, ...given } of cases) {
    it(`${id}: ${what}`, async () => {
      const message = { ...given.message, payload: bytesOf(given.message.payload) };
      if (right.throws) return await expect(tryTask(spec, message)).rejects.toThrow();
      const { outcome, error, requests } = await tryTask(spec, message);
      expect({ outcome, code: error?.code }).toEqual({ outcome: right.outcome, code: right.code });
      if (right.stage) expect(error).toHaveProperty('stage', right.stage);
      if (right.request) expect(requests).toMatchObject([right.request]);
      if (right.json) expect(JSON.parse(String(requests![0]!['data']))).toMatchObject(right.json);
    });
  }
});
