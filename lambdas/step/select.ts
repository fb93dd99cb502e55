import type { SelectOptions } from '../core/steps.ts';
import { matchesTopicFilter, withoutShare } from '../core/topic-filter.ts';
import type { StepDefinition } from './step.ts';

/** Drops subscriptions to topic filters other than those that the source names; all other records pass. */
export const select: StepDefinition<SelectOptions> = {
  stage: 'select',
  compile({ subscribedTo }) {
    return (record) => {
      const isSubscription = record.clientEvent?.topics !== undefined;
      return !isSubscription || matchesTopicFilter(subscribedTo, withoutShare(record.envelope.topic))
        ? record
        : undefined;
    };
  },
};
