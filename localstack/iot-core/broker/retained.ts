import { quotas } from './limits.ts';
import { expiresAt, type Publication } from './publication.ts';

/** The retained message of each topic. AWS IoT Core sends them only to subscriptions without wildcards. */
export class RetainedMessages {
  readonly #byTopic = new Map<string, Publication>();
  readonly #onError: (error: Error) => void;
  #bytes = 0;

  constructor(onError: (error: Error) => void) {
    this.#onError = onError;
  }

  /** Stores a publication with the retain flag, unless the quota is reached. An empty payload deletes the topic's message. */
  store(publication: Publication): void {
    if (!publication.retain) return;
    const { topic, payload } = publication;
    const before = this.#byTopic.get(topic);
    this.#delete(topic);
    if (payload.byteLength === 0) return;
    const bytes = bytesOf(publication);
    if (this.#byTopic.size >= quotas.retainedMessages || this.#bytes + bytes > quotas.retainedBytes) {
      if (before !== undefined) this.#keep(before);
      const limits = `${quotas.retainedMessages} messages and ${quotas.retainedBytes} bytes`;
      this.#onError(
        new Error(`the message for ${JSON.stringify(topic)} is not retained; the broker retains at most ${limits}`),
      );
      return;
    }
    this.#keep(publication);
  }

  find(topic: string, now: number): Publication | undefined {
    const publication = this.#byTopic.get(topic);
    if (publication === undefined || expiresAt(publication) > now) return publication;
    this.#delete(topic);
    return undefined;
  }

  #keep(publication: Publication): void {
    this.#byTopic.set(publication.topic, publication);
    this.#bytes += bytesOf(publication);
  }

  #delete(topic: string): void {
    const publication = this.#byTopic.get(topic);
    if (publication === undefined) return;
    this.#byTopic.delete(topic);
    this.#bytes -= bytesOf(publication);
  }
}

function bytesOf({ topic, payload }: Publication): number {
  return topic.length + payload.byteLength;
}
