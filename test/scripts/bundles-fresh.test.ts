import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { isFresh, recordBuild, sourcesDigest } from '../../scripts/bundles-fresh.mjs';

const PACKAGE_FILE = 'node_modules/client/index.js';

/** A project whose one bundle has just been built. */
function built() {
  const root = mkdtempSync(join(tmpdir(), 'outflow-bundles-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write('lambdas/handler.ts', 'export {};');
  write('scripts/bundle.mjs', '');
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json']) write(name, '{}');
  write(PACKAGE_FILE, 'exports.a = 1;');
  write('dist/bundles/sink/index.mjs', 'bundled');
  write('dist/bundles/sink.meta.json', JSON.stringify({ inputs: { 'lambdas/handler.ts': {}, [PACKAGE_FILE]: {} } }));
  const sources = sourcesDigest(root);
  recordBuild(root, sources);
  return { root, write, sources };
}

it('keeps bundles while nothing has changed', () => {
  const { root, write } = built();
  expect(isFresh(root)).toBe(true);
  write('lambdas/handler.ts', 'export {};');
  write('test/handler.test.ts', 'anything');
  expect(isFresh(root)).toBe(true);
});

it.each<[string, (project: ReturnType<typeof built>) => void]>([
  ['a source has changed', ({ write }) => write('lambdas/handler.ts', 'export const a = 1;')],
  ['a source is new', ({ write }) => write('lambdas/a/index.ts', '')],
  ['a source is gone', ({ root }) => rmSync(join(root, 'lambdas/handler.ts'))],
  ['a build step has changed', ({ write }) => write('scripts/bundle.mjs', 'build();')],
  ['other packages are wanted', ({ write }) => write('package-lock.json', '{"a":1}')],
  ['a file of a package has changed', ({ root }) => utimesSync(join(root, PACKAGE_FILE), 1, 1)],
  ['a file of a package is gone', ({ root }) => rmSync(join(root, PACKAGE_FILE))],
  ['a bundle has changed', ({ write }) => write('dist/bundles/sink/index.mjs', 'edited')],
  ['a bundle is incomplete', ({ root }) => rmSync(join(root, 'dist/bundles/sink/index.mjs'))],
  ['a description of a bundle is cut off', ({ write }) => write('dist/bundles/sink.meta.json', '{"inputs":')],
  ['there is no bundle', ({ root }) => rmSync(join(root, 'dist'), { recursive: true })],
])('builds anew when %s', (_, change) => {
  const project = built();
  change(project);
  expect(isFresh(project.root)).toBe(false);
});

it('builds anew when a source was changed during the build', () => {
  const { root, write, sources } = built();
  write('lambdas/handler.ts', 'export const a = 1;');
  recordBuild(root, sources);
  expect(isFresh(root)).toBe(false);
});
