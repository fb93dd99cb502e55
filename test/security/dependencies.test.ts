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

/** Licences that may be shipped with code under Apache-2.0, because they only require their notice. */
const LICENCES = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'];

const read = (file: string) => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
const { dependencies, devDependencies, peerDependencies, scripts } = read('package.json');
const { '': root, ...locked }: Record<string, Locked> = read('package-lock.json').packages;
const shipped = Object.entries(locked).filter(([, { dev }]) => !dev);

describe('dependencies', () => {
  it('S15 are pinned to one version each, except peer dependencies', () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      expect([name, version]).toEqual([name, expect.stringMatching(/^\d+\.\d+\.\d+(-[\w.]+)?$/)]);
    expect(Object.keys(peerDependencies).sort()).toEqual(['aws-cdk-lib', 'constructs']);
    expect(root).toMatchObject({ dependencies, devDependencies });
  });

  it('S15 are locked by the hash of their contents, for every registry', () => {
    expect(shipped.length).toBeGreaterThan(50);
    for (const [name, { integrity, inBundle, resolved }] of Object.entries(locked)) {
      if (!inBundle) expect([name, integrity]).toEqual([name, expect.stringMatching(/^sha512-/)]);
      expect([name, resolved]).toEqual([name, undefined]);
    }
  });

  it('S15 have no install scripts, unless they are optional', () => {
    const running = shipped.filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional);
    // Its script only checks the version ranges of the packages that depend on it.
    expect(running.map(([name]) => name)).toEqual(['node_modules/protobufjs']);
    expect(Object.keys(scripts)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(pre|post)?install$/)]));
  });

  it('S15 that are shipped have a licence from the list', () => {
    const isListed = (license = 'none') =>
      license
        .replace(/^\((.*)\)$/, '$1')
        .split(' AND ')
        .every((part) => LICENCES.includes(part));
    const others = shipped.filter(([, { license }]) => !isListed(license));
    expect(others.map(([name, { license }]) => `${name}: ${license}`)).toEqual([]);
  });
});
