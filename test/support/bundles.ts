import { execFileSync } from 'node:child_process';

/** Constructs deploy prebuilt bundles: tests see those of the code as it stands. */
export default function setup(): void {
  execFileSync(process.execPath, ['scripts/bundle.mjs'], { stdio: 'inherit' });
}
