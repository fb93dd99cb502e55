import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Synthesizes the CDK app of a folder as `cdk synth` does: runs `build`, then `app`, both from `cdk.json`.
 *
 * @returns the folder of the cloud assembly.
 * @throws if there is no `cdk.json`, or one of the two commands fails; the message contains their output.
 */
export async function synthesize(folder: string, assembly = join(folder, 'cdk.out')): Promise<string> {
  const file = join(folder, 'cdk.json');
  if (!existsSync(file))
    throw new Error(`${file} is missing; run this in the folder of a CDK app, or name a synthesized assembly`);
  const { app, build, context = {} } = JSON.parse(readFileSync(file, 'utf8'));
  if (typeof app !== 'string')
    throw new Error(`${file}: app is ${JSON.stringify(app)}; expected the command that runs the app`);
  const env = { ...process.env, CDK_OUTDIR: assembly, CDK_CONTEXT_JSON: JSON.stringify(context) };
  if (typeof build === 'string') await shell(build, folder, env);
  await shell(app, folder, env);
  return assembly;
}

async function shell(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(command, { cwd, env, shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (printed += data));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`\`${command}\` failed:\n${printed.trim()}`);
}
