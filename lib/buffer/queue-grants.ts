import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';

/** Allows sending to a queue and nothing more, its key included. */
export function grantSend(queue: IQueue, grantee: IGrantable): void {
  Grant.addToPrincipal({ grantee, actions: ['sqs:SendMessage'], resourceArns: [queue.queueArn] });
  // SQS encrypts with a data key that the sender requests, and the sender may have to decrypt one that it requested before.
  queue.encryptionMasterKey?.grant(grantee, 'kms:GenerateDataKey', 'kms:Decrypt');
}

const RECEIVE = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility'];

/** Allows an event source mapping's function to receive from a queue and nothing more, its key included. */
export function grantReceive(queue: IQueue, grantee: IGrantable): void {
  Grant.addToPrincipal({ grantee, actions: RECEIVE, resourceArns: [queue.queueArn] });
  queue.encryptionMasterKey?.grant(grantee, 'kms:Decrypt');
}
