#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { deployLocalCommand } from './commands/deploy-local.ts';
import { localCommand } from './commands/local.ts';
import { localStackCommand } from './commands/localstack.ts';
import { operateCommands } from './commands/operate.ts';
import { awsOperator } from './commands/operator.ts';
import { processTerminal } from './commands/terminal.ts';
import { topologyCommand } from './commands/topology.ts';
import { tryCommand } from './commands/try.ts';

// On Node 20 the AWS SDK prints a deprecation warning.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

const program = new Command('outflow')
  .description('MQTT messages out of AWS IoT Core into Kinesis, RocketMQ and MQTT brokers')
  .version(version())
  .addCommand(localCommand())
  .addCommand(localStackCommand())
  .addCommand(deployLocalCommand())
  .addCommand(tryCommand())
  .addCommand(topologyCommand());
for (const command of operateCommands(awsOperator(processTerminal()))) program.addCommand(command);

program.parseAsync().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});

function version(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')).version;
    } catch {}
  }
  return 'unknown';
}
