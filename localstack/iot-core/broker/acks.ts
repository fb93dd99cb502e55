import { Fifo } from '../../fifo.ts';

interface PendingAck {
  messageId: number;
  state: 'waiting' | 'accepted' | 'refused';
}

/** Sends PUBACKs in the order of their PUBLISH packets (MQTT 5, section 4.6), whichever publish is accepted first. */
export class OrderedAcks {
  readonly #send: (messageId: number) => void;
  readonly #pending = new Fifo<PendingAck>();

  constructor(send: (messageId: number) => void) {
    this.#send = send;
  }

  /** Reserves the next PUBACK for a publish. The caller reports through the returned function whether it was accepted. */
  reserve(messageId: number): (accepted: boolean) => void {
    const pending: PendingAck = { messageId, state: 'waiting' };
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
