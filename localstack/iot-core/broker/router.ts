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

/** Takes a publish: to the subscribers at once, and to the rules, whose answer decides over the PUBACK. */
export class Router {
  readonly #options: RouterOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Settles as onPublish does; no promise when onPublish gave none, so that its caller need not wait a turn. */
  accept(publication: Publication): Promise<void> | undefined {
    const { subscriptions, retained, onPublish } = this.#options;
    if (!isBasicIngest(publication.topic)) {
      retained.keep(publication);
      subscriptions.deliver(publication);
    }
    const taken = onPublish(publication);
    if (taken === undefined) return undefined;
    const settled = Promise.resolve(taken);
    const watched = settled.then(noop, noop).then(() => {
      this.#underWay.delete(watched);
    });
    this.#underWay.add(watched);
    return settled;
  }

  /** As accept, for those who only want to know whether it was taken. A failure goes to onError. */
  submit(publication: Publication, done: (accepted: boolean) => void = noop): void {
    const refused = (error: unknown) => {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
      done(false);
    };
    let taken: Promise<void> | undefined;
    try {
      taken = this.accept(publication);
    } catch (error) {
      refused(error);
      return;
    }
    if (taken === undefined) done(true);
    else void taken.then(() => done(true), refused);
  }

  /** When no onPublish is under way any more, those that began meanwhile included. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}

function noop(): void {}
