import type { Command } from 'commander';
import { dlqCommand } from './dlq.ts';
import { enableCommand } from './enable.ts';
import { listCommand } from './list.ts';
import type { Operator } from './operator.ts';
import { pauseCommand } from './pause.ts';
import { redriveCommand } from './redrive.ts';
import { statusCommand } from './status.ts';
import { testConnectivityCommand } from './test-connectivity.ts';

/** The commands of an operator (rows D19 to D23), in the order of their help. */
export function operateCommands(operator: Operator): Command[] {
  return [
    listCommand,
    statusCommand,
    enableCommand,
    pauseCommand,
    testConnectivityCommand,
    dlqCommand,
    redriveCommand,
  ].map((make) => make(operator));
}
