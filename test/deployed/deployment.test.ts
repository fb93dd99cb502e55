import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { METADATA_KEY } from '../../lambdas/core/metadata.ts';
import { cdk } from '../../localstack/deployed/cdk.ts';
import { readDeployment } from '../../localstack/deployed/deployment.ts';

const folder = mkdtempSync(join(tmpdir(), 'outflow-deployment-'));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (file: string, value: unknown) => writeFileSync(join(folder, file), JSON.stringify(value));
const OPEN = 'aws://unknown-account/unknown-region';

/** Writes an assembly with two stacks in a stage; the first one has a task, and both have a parameter `Size`. */
function assembly({ environment, tasks = [{ task: 'Telemetry' }] }: { environment: string[]; tasks?: object[] }) {
  const stack = (name: string, at: number) => ({
    type: 'aws:cloudformation:stack',
    environment: environment[at],
    displayName: `Prod/${name}`,
    properties: { templateFile: `${name}.json`, stackName: `Prod-${name}` },
  });
  write('manifest.json', { artifacts: { Plant: stack('Plant', 0), Store: stack('Store', 1) } });
  write('Plant.json', { Parameters: { Size: {}, Name: {} }, Metadata: { [METADATA_KEY]: { v: 1, tasks } } });
  write('Store.json', { Parameters: { Size: {} } });
  return folder;
}

describe('what is deployed to LocalStack', () => {
  it('is every stack, by its construct path, in the default account and Region', () => {
    expect(readDeployment(assembly({ environment: [OPEN, OPEN] }), {})).toEqual({
      stackNames: ['Prod-Plant', 'Prod-Store'],
      environment: { account: '000000000000', region: 'us-east-1' },
      args: ['Prod/Plant', 'Prod/Store'],
    });
  });

  it('is the named stacks, in the account and Region that they state', () => {
    const environment = ['aws://123456789012/eu-west-1', OPEN];
    expect(readDeployment(assembly({ environment }), { stackNames: ['Prod-Plant'] })).toEqual({
      stackNames: ['Prod-Plant'],
      environment: { account: '123456789012', region: 'eu-west-1' },
      args: ['Prod/Plant'],
    });
    expect(() => readDeployment(assembly({ environment }), {})).toThrow(
      'stacks: got Prod-Plant aws://123456789012/eu-west-1, Prod-Store aws://000000000000/us-east-1; expected one account and Region. Name its stacks with --stack',
    );
  });

  it('gives a parameter to the stacks that have it', () => {
    const read = (parameters: Record<string, string>) =>
      readDeployment(assembly({ environment: [OPEN, OPEN] }), { parameters }).args.slice(2);
    expect(read({ Size: '1' })).toEqual(['--parameters', 'Prod-Plant:Size=1', '--parameters', 'Prod-Store:Size=1']);
    expect(read({ Name: 'a=b' })).toEqual(['--parameters', 'Prod-Plant:Name=a=b']);
    expect(read({ 'Prod-Store:Size': '2' })).toEqual(['--parameters', 'Prod-Store:Size=2']);
    expect(() => read({ Sise: '1' })).toThrow(
      '--parameters: got Sise; expected one of Prod-Plant:Size, Prod-Plant:Name, Prod-Store:Size',
    );
  });

  it('has a task', () => {
    const without = assembly({ environment: [OPEN, OPEN], tasks: [] });
    expect(() => readDeployment(without, {})).toThrow('has no OutflowTask; expected a stack with one');
  });
});

describe('the CDK command', () => {
  it('is that of the app, and sees neither profiles nor endpoints of the user', async () => {
    vi.stubEnv('AWS_PROFILE', 'production');
    vi.stubEnv('AWS_SESSION_TOKEN', 'real');
    vi.stubEnv('AWS_ENDPOINT_URL_SQS', 'https://sqs.us-east-1.amazonaws.com');
    mkdirSync(join(folder, 'node_modules/aws-cdk/bin'), { recursive: true });
    writeFileSync(
      join(folder, 'node_modules/aws-cdk/bin/cdk'),
      "for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) console.log(name + '=' + process.env[name])",
    );
    const lines: string[] = [];
    const environment = { account: '123456789012', region: 'eu-west-1' };
    const endpointUrl = 'http://127.0.0.1:4566';
    await cdk(['deploy'], { endpointUrl, environment, folder, onLine: (line) => lines.push(line) });
    vi.unstubAllEnvs();
    expect(lines.filter((line) => !line.includes('WARNING')).sort()).toEqual([
      'AWS_ACCESS_KEY_ID=123456789012',
      'AWS_ENDPOINT_URL=http://127.0.0.1:4566',
      'AWS_ENDPOINT_URL_S3=http://127.0.0.1:4566',
      'AWS_REGION=eu-west-1',
      'AWS_SECRET_ACCESS_KEY=test',
    ]);
  });

  it('is missing in some apps: the error has the command that installs it', async () => {
    const none = mkdtempSync(join(tmpdir(), 'outflow-no-cdk-'));
    const options = { endpointUrl: 'http://127.0.0.1:4566', folder: none };
    await expect(cdk(['synth'], options)).rejects.toThrow('has no CDK command. Run `npm install --save-dev aws-cdk`');
    rmSync(none, { recursive: true });
  });
});
