import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Ways round the checks of a certificate, in Node and in its clients. */
const WAYS_ROUND = /rejectUnauthorized(?!: true\b)|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity|allowInsecure/g;

describe('certificates', () => {
  it('S16 are always verified: nothing that is packaged names a way round it', () => {
    const files = ['lambdas', 'lib', 'bin', 'localstack'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.m?[jt]s$/.test(name))
        .map((name) => join(folder, name)),
    );
    const found = files.flatMap((file) =>
      (readFileSync(file, 'utf8').match(WAYS_ROUND) ?? []).map((way) => `${file}: ${way}`),
    );
    expect(files.length).toBeGreaterThan(100);
    expect(found).toEqual([]);
  });
});
