import type { Message, RocketMqRequest } from '../../lambdas/deliver/rocketmq/message.ts';
import type { Producer } from '../../lambdas/deliver/rocketmq/producer.ts';
import type { DeliverContext, Outcome } from '../../lambdas/deliver/sink.ts';

export type SendOptions = Partial<DeliverContext & Pick<RocketMqRequest, 'isTopicRendered' | 'isTypeRendered'>>;

/** Delivers messages to one topic. By default there is no order, a minute is left, and the task names topic and type. */
export function sendWith<Delivered extends Outcome>(
  { deliver }: Pick<Producer<Delivered>, 'deliver'>,
  topic: string,
  messages: readonly Message[],
  { remainingMs = () => 60_000, order, isTopicRendered = false, isTypeRendered = false }: SendOptions = {},
): ReturnType<Producer<Delivered>['deliver']> {
  const requests = messages.map((message) => ({ topic, isTopicRendered, isTypeRendered, message }));
  return deliver(requests, { remainingMs, order });
}
