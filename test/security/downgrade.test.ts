import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Options of Node and of its clients that disable the checks of a certificate. */
const DISABLED_CHECKS =
  /rejectUnauthorized(?!: true\b)|NODE_TLS_REJECT_UNAUTHORIZED|checkServerIdentity|allowInsecure/g;

describe('certificates', () => {
  it('S16 are always verified: no packaged file names an option that disables it', () => {
    const files = ['lambdas', 'lib', 'bin', 'localstack'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.m?[jt]s$/.test(name))
        .map((name) => join(folder, name)),
    );
    const found = files.flatMap((file) =>
      (readFileSync(file, 'utf8').match(DISABLED_CHECKS) ?? []).map((option) => `${file}: ${option}`),
    );
    expect(files.length).toBeGreaterThan(100);
    expect(found).toEqual([]);
  });
});
