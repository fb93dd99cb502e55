import type { LifecycleEvent, VersionNumbers } from './lifecycle.ts';
import type { RetainedMessages } from './retained.ts';
import type { Router } from './router.ts';
import type { Sessions } from './sessions.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { PendingWills } from './wills.ts';

/** The state that all connections of a broker share. */
export interface Services {
  router: Router;
  subscriptions: Subscriptions;
  retained: RetainedMessages;
  sessions: Sessions;
  wills: PendingWills;
  versions: VersionNumbers;
  publishLifecycle: (event: LifecycleEvent) => void;
  onDisconnect: (clientId: string | undefined, reason: string) => void;
  onError: (error: Error) => void;
  now: () => number;
}
