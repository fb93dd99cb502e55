import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { bootstrap, type CdkOptions, DEFAULT_ENVIRONMENT } from './cdk.ts';

/** Bootstraps an account and Region of LocalStack unless that has been done; even without changes it takes seconds. */
export async function bootstrapOnce(options: CdkOptions): Promise<void> {
  const { account, region } = options.environment ?? DEFAULT_ENVIRONMENT;
  const client = new CloudFormationClient({
    endpoint: options.endpointUrl,
    region,
    credentials: { accessKeyId: account, secretAccessKey: 'test' },
  });
  try {
    await client.send(new DescribeStacksCommand({ StackName: 'CDKToolkit' }));
  } catch (error) {
    if ((error as Error).name !== 'ValidationError') throw error;
    await bootstrap(options);
  } finally {
    client.destroy();
  }
}
