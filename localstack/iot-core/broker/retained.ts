import { expiresAt, type Publication } from './publication.ts';

/** The last retained message of each topic. AWS hands them to exact-topic subscriptions only. */
export class RetainedMessages {
  readonly #byTopic = new Map<string, Publication>();

  /** Keeps a publish that asks for it; one without payload clears the topic. */
  keep(publication: Publication): void {
    if (!publication.retain) return;
    if (publication.payload.byteLength === 0) this.#byTopic.delete(publication.topic);
    else this.#byTopic.set(publication.topic, publication);
  }

  find(topic: string, now: number): Publication | undefined {
    const publication = this.#byTopic.get(topic);
    if (publication === undefined || expiresAt(publication) > now) return publication;
    this.#byTopic.delete(topic);
    return undefined;
  }
}
