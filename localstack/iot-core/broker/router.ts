import { isBasicIngest } from './limits.ts';
import type { Publication } from './publication.ts';
import type { RetainedMessages } from './retained.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface RouterOptions {
  subscriptions: Subscriptions;
  retained: RetainedMessages;
  onPublish: (publication: Publication) => void | Promise<void>;
  onError: (error: Error) => void;
}

/** Routes publications to subscribers and to onPublish, whose result decides whether the broker acknowledges. */
export class Router {
  readonly #options: RouterOptions;
  readonly #pending = new Set<Promise<void>>();

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Settles as onPublish does; undefined when onPublish returned no promise, which saves the caller a turn. */
  accept(publication: Publication): Promise<void> | undefined {
    const { subscriptions, retained, onPublish } = this.#options;
    if (!isBasicIngest(publication.topic)) {
      retained.store(publication);
      subscriptions.deliver(publication);
    }
    const accepted = onPublish(publication);
    if (accepted === undefined) return undefined;
    const settled = Promise.resolve(accepted);
    const watched = settled.then(noop, noop).then(() => {
      this.#pending.delete(watched);
    });
    this.#pending.add(watched);
    return settled;
  }

  /** Calls `done` with whether onPublish accepted the publication. A failure goes to onError. */
  submit(publication: Publication, done: (accepted: boolean) => void = noop): void {
    const refused = (error: unknown) => {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
      done(false);
    };
    let pending: Promise<void> | undefined;
    try {
      pending = this.accept(publication);
    } catch (error) {
      refused(error);
      return;
    }
    if (pending === undefined) done(true);
    else void pending.then(() => done(true), refused);
  }

  /** Resolves when no onPublish call is pending, including calls that start in the meantime. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}

function noop(): void {}
