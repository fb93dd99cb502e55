import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';

// A module of its own, so that a bundle holds only the commands that are imported here.
const client = new SSMClient({
  // A batch waits for this, and can do without: 1 to 2 seconds, once.
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 1_000, throwOnRequestTimeout: true },
});

/** Reads the text of a parameter in AWS Systems Manager. */
export async function readParameter(name: string): Promise<string | undefined> {
  const { Parameter } = await client.send(new GetParameterCommand({ Name: name }));
  return Parameter?.Value;
}
