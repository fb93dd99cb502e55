import { type AssemblyOptions, readAssembly, type Stack } from '../one-process/assembly.ts';
import { DEFAULT_ENVIRONMENT, type Environment } from './cdk.ts';

/** What `cdk deploy` is to deploy of an assembly. */
export interface Deployment {
  /** Names of the stacks, without nested ones. */
  readonly stackNames: readonly string[];
  /** Where the stacks go. What the app leaves open is that of {@link DEFAULT_ENVIRONMENT}. */
  readonly environment: Environment;
  /** Arguments of `cdk deploy`: the stacks, and their parameters. */
  readonly args: readonly string[];
}

/**
 * Reads which stacks of an assembly are to be deployed.
 *
 * @throws when they have no task, go to more than one account or Region, or have none of the parameters.
 */
export function readDeployment(assembly: string, options: AssemblyOptions): Deployment {
  const { stackNames, parameters = {} } = options;
  const all = readAssembly(assembly, options);
  if (all.every(({ tasks }) => tasks.length === 0))
    throw new Error(`${stackNames?.join(', ') ?? assembly} has no OutflowTask; expected a stack with one`);
  const stacks = all.filter(({ name, parent }) => parent === undefined && (stackNames?.includes(name) ?? true));
  return {
    stackNames: stacks.map(({ name }) => name),
    environment: environmentOf(stacks),
    args: [
      ...stacks.map(({ name, path }) => path ?? name),
      ...Object.entries(parameters).flatMap(([key, value]) =>
        qualified(key, stacks).flatMap((name) => ['--parameters', `${name}=${value}`]),
      ),
    ],
  };
}

function environmentOf(stacks: readonly Stack[]): Environment {
  const all = stacks.map(({ name, environment }) => {
    const { account, region } = DEFAULT_ENVIRONMENT;
    return { name, account: environment?.account ?? account, region: environment?.region ?? region };
  });
  const { account, region } = all[0]!;
  if (all.some((other) => other.account !== account || other.region !== region)) {
    const places = all.map((one) => `${one.name} aws://${one.account}/${one.region}`);
    throw new Error(`stacks: got ${places.join(', ')}; expected one account and Region. Name its stacks with --stack`);
  }
  return { account, region };
}

/** `<stack>:<parameter>` for each stack that has the parameter. The key may name the stack too. */
function qualified(key: string, stacks: readonly Stack[]): readonly string[] {
  const all = stacks.flatMap(({ name, template }) =>
    Object.keys(template.Parameters ?? {}).map((parameter) => ({ parameter, name: `${name}:${parameter}` })),
  );
  const found = all.filter(({ parameter, name }) => key === parameter || key === name).map(({ name }) => name);
  if (found.length === 0) {
    const expected = all.map(({ name }) => name).join(', ');
    throw new Error(`--parameters: got ${key}; expected one of ${expected || 'none: the stacks have no parameter'}`);
  }
  return found;
}
