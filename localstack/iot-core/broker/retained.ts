import { expiresAt, type Publication } from './publication.ts';

/** The retained message of each topic. AWS IoT Core sends them only to subscriptions without wildcards. */
export class RetainedMessages {
  readonly #byTopic = new Map<string, Publication>();

  /** Stores a publication with the retain flag. An empty payload deletes the topic's message. */
  store(publication: Publication): void {
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
