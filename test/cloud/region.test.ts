import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { awsOperator } from '../../bin/commands/operator.ts';
import type { Terminal } from '../../bin/commands/terminal.ts';

/** An assembly with one task in each stack, by the stack's name. */
function assemblyOf(environments: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'outflow-assembly-'));
  const artifacts = Object.entries(environments).map(([name, environment]) => {
    const Metadata = { 'mqtt-outflow': { tasks: [{ task: name }] } };
    writeFileSync(join(folder, `${name}.template.json`), JSON.stringify({ Metadata }));
    const properties = { templateFile: `${name}.template.json` };
    return [name, { type: 'aws:cloudformation:stack', environment, properties }] as const;
  });
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ artifacts: Object.fromEntries(artifacts) }));
  return folder;
}

/** The Region and the profile with which the commands open the cloud. */
async function opened(environments: Readonly<Record<string, string>>, scope: object = {}) {
  vi.stubEnv('AWS_REGION', 'us-east-2');
  vi.stubEnv('AWS_PROFILE', undefined);
  const cloud = await awsOperator({} as Terminal).open({ assembly: assemblyOf(environments), ...scope });
  cloud.close();
  return [process.env['AWS_REGION'], process.env['AWS_PROFILE']];
}

afterEach(() => vi.unstubAllEnvs());

describe('the Region of a command', () => {
  it('is that of the assembly, unless an option names another; an app without one leaves it to the AWS SDK', async () => {
    expect(await opened({ A: 'aws://111111111111/eu-west-1' })).toEqual(['eu-west-1', undefined]);
    expect(await opened({ A: 'aws://111111111111/eu-west-1' }, { region: 'eu-north-1', profile: 'plant' })).toEqual([
      'eu-north-1',
      'plant',
    ]);
    expect(await opened({ A: 'aws://unknown-account/unknown-region' })).toEqual(['us-east-2', undefined]);
  });

  it('is that of the named stack where the assembly has several', async () => {
    const both = { A: 'aws://111111111111/eu-west-1', B: 'aws://111111111111/eu-west-2' };
    await expect(opened(both)).rejects.toThrow(
      'stacks in eu-west-1 and eu-west-2; name those of one Region with --stack',
    );
    expect(await opened(both, { stack: ['B'] })).toEqual(['eu-west-2', undefined]);
  });
});
