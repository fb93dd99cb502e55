import { execFileSync } from 'node:child_process';

/** Builds the bundles that constructs deploy, so that tests see the present code. */
export default function setup(): void {
  execFileSync(process.execPath, ['scripts/bundle.mjs'], { stdio: 'inherit' });
}
