import { type CfnParameter, StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { UNWRITTEN_STATE } from '../lambdas/core/task-state.ts';

/**
 * The parameter that keeps a task's state. CloudFormation writes it at the first deployment, the control function from then on.
 * CloudFormation writes the value again when a property or a tag changes, the tags of `cdk deploy --tags` included. The control
 * function therefore labels the version that it writes, and every reader asks for the label.
 */
export function addStateParameter(task: Construct): StringParameter {
  const state = new StringParameter(task, 'State', {
    description: 'State of an Outflow task',
    stringValue: UNWRITTEN_STATE,
  });
  (state.node.defaultChild as CfnParameter).addPropertyDeletionOverride('Tags');
  return state;
}
