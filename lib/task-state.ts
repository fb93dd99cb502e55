import { Tags } from 'aws-cdk-lib';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { UNWRITTEN_STATE } from '../lambdas/core/task-state.ts';
import { TASK_TAG } from './metadata.ts';

/**
 * The parameter that keeps a task's state. CloudFormation writes it at the first deployment, the control function from then on.
 * CloudFormation writes a parameter again when any of its properties changes, so no property depends on the task.
 */
export function addStateParameter(task: Construct): StringParameter {
  const state = new StringParameter(task, 'State', {
    description: 'State of an Outflow task',
    stringValue: UNWRITTEN_STATE,
  });
  Tags.of(state).remove(TASK_TAG);
  return state;
}
