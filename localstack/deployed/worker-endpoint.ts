import {
  GetFunctionConfigurationCommand,
  type LambdaClient,
  ListAliasesCommand,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';

/** Of the AWS SDK: the endpoint of AWS IoT Core's data plane, in place of LocalStack's, which has none in its community edition. */
const ENDPOINT = 'AWS_ENDPOINT_URL_IOT_DATA_PLANE';
const MAX_WAIT_SECONDS = 60;

/** Sets the endpoint of AWS IoT Core's data plane for a deployed worker, and moves its aliases to a version that has it. */
export async function setDataPlaneEndpoint(
  client: LambdaClient,
  FunctionName: string,
  endpointUrl: string,
): Promise<void> {
  const { Environment } = await client.send(new GetFunctionConfigurationCommand({ FunctionName }));
  const Variables = { ...Environment?.Variables, [ENDPOINT]: endpointUrl };
  await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables } }));
  await waitUntilFunctionUpdatedV2({ client, maxWaitTime: MAX_WAIT_SECONDS }, { FunctionName });
  const { Version } = await client.send(new PublishVersionCommand({ FunctionName }));
  const { Aliases = [] } = await client.send(new ListAliasesCommand({ FunctionName }));
  for (const { Name } of Aliases)
    await client.send(new UpdateAliasCommand({ FunctionName, Name, FunctionVersion: Version }));
}
