import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly inBundle?: boolean;
  readonly hasInstallScript?: boolean;
}

/** What may be shipped beside code under Apache-2.0: licences that ask for their notice, and nothing else. */
const LICENCES = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'];

const read = (file: string) => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
const { dependencies, devDependencies, peerDependencies, scripts } = read('package.json');
const { '': root, ...locked }: Record<string, Locked> = read('package-lock.json').packages;
const shipped = Object.entries(locked).filter(([, { dev }]) => !dev);

describe('dependencies', () => {
  it('S15 are pinned to one version each, those of others’ apps apart', () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+(-[\w.]+)?$/)]);
    expect(Object.keys(peerDependencies).sort()).toEqual(['aws-cdk-lib', 'constructs']);
    expect(root).toMatchObject({ dependencies, devDependencies });
  });

  it('S15 are locked by the hash of what they hold, wherever they are fetched from', () => {
    expect(shipped.length).toBeGreaterThan(50);
    for (const [name, { integrity, inBundle, resolved }] of Object.entries(locked)) {
      if (!inBundle) expect([name, integrity]).toEqual([name, expect.stringMatching(/^sha512-/)]);
      expect([name, resolved]).toEqual([name, undefined]);
    }
  });

  it('S15 run nothing when they are installed, unless the product does without them', () => {
    const running = shipped.filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional);
    // Its script looks at the version ranges of whoever depends on it, and does nothing else.
    expect(running.map(([name]) => name)).toEqual(['node_modules/protobufjs']);
    expect(Object.keys(scripts)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(pre|post)?install$/)]));
  });

  it('S15 that are shipped carry a licence from the list', () => {
    const isListed = (license = 'none') =>
      license
        .replace(/^\((.*)\)$/, '$1')
        .split(' AND ')
        .every((part) => LICENCES.includes(part));
    const others = shipped.filter(([, { license }]) => !isListed(license));
    expect(others.map(([name, { license }]) => `${name}: ${license}`)).toEqual([]);
  });
});
