import type { Command } from 'commander';
import { dlqCommand } from './dlq.ts';
import { drainCommand } from './drain.ts';
import { enableCommand } from './enable.ts';
import { listCommand } from './list.ts';
import type { Operator } from './operator.ts';
import { pauseCommand } from './pause.ts';
import { readCommand } from './read.ts';
import { redriveCommand } from './redrive.ts';
import { skipCommand } from './skip.ts';
import { statusCommand } from './status.ts';
import { testConnectivityCommand } from './test-connectivity.ts';

/** The commands that operate tasks, in the order of the help text. */
export function operateCommands(operator: Operator): Command[] {
  return [
    listCommand,
    statusCommand,
    enableCommand,
    pauseCommand,
    skipCommand,
    testConnectivityCommand,
    readCommand,
    dlqCommand,
    redriveCommand,
    ...(operator.isInProcess ? [] : [drainCommand]),
  ].map((make) => make(operator));
}
