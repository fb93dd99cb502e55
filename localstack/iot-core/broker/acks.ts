import { Fifo } from '../../fifo.ts';

interface Pending {
  messageId: number;
  state: 'waiting' | 'accepted' | 'refused';
}

/** PUBACKs leave in the order the publishes came (MQTT 4.6), whichever the rules engine takes first. */
export class OrderedAcks {
  readonly #send: (messageId: number) => void;
  readonly #pending = new Fifo<Pending>();

  constructor(send: (messageId: number) => void) {
    this.#send = send;
  }

  /** Takes a place in the line; the returned function says whether the publish was accepted. */
  expect(messageId: number): (accepted: boolean) => void {
    const pending: Pending = { messageId, state: 'waiting' };
    this.#pending.push(pending);
    return (accepted) => {
      pending.state = accepted ? 'accepted' : 'refused';
      this.#flush();
    };
  }

  #flush(): void {
    for (let first = this.#pending.peek(); first && first.state !== 'waiting'; first = this.#pending.peek()) {
      this.#pending.shift();
      if (first.state === 'accepted') this.#send(first.messageId);
    }
  }
}
