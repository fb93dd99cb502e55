import type { Clock } from '../../net/clock.ts';
import { type Deadline, deadlineIn } from '../../net/deadline.ts';
import { isTlsFailure } from '../../net/tls.ts';
import type { BrokerBackoff } from '../broker-backoff.ts';
import { type Answer, type Request, resultCodes } from './command.ts';
import { RefusedError } from './errors.ts';
import type { Pool } from './pool.ts';

export interface NameServersOptions {
  /** 'host:port'; any one of them is enough. */
  readonly addresses: readonly string[];
  readonly pool: Pick<Pool, 'request'>;
  readonly backoff: BrokerBackoff;
  readonly clock: Clock;
}

export interface AnswerFrom {
  readonly address: string;
  readonly answer: Answer;
}

/** Name servers know where topics are. They know nothing of each other; each broker registers with all of them. */
export interface NameServers {
  /** The first answer. @throws the failure of one of them, when none answers */
  ask(request: Request, deadline: Deadline): Promise<AnswerFrom>;
  /** All answers, of those that answer. @throws as `ask` does */
  askAll(request: Request, deadline: Deadline): Promise<readonly AnswerFrom[]>;
}

/** One that has not answered by then gets company. */
const HEDGE_MS = 300;
const REQUEST_TIMEOUT_MS = 1_500;
const ANSWERS: ReadonlySet<number> = new Set([resultCodes.success, resultCodes.topicNotExist]);

export function openNameServers({ addresses, pool, backoff, clock }: NameServersOptions): NameServers {
  let preferred = Math.floor(Math.random() * addresses.length);

  async function askOne(address: string, request: Request, within: Deadline): Promise<AnswerFrom> {
    try {
      const answer = await pool.request(address, request, deadlineIn(REQUEST_TIMEOUT_MS, clock, within));
      if (!ANSWERS.has(answer.code)) throw new RefusedError(address, answer.code, answer.remark);
      backoff.recovered(address);
      return { address, answer };
    } catch (error) {
      backoff.failed(address);
      throw error;
    }
  }

  /** The one that answered last time first, those known to be dead last. */
  function inOrder(): string[] {
    const order = [...addresses.slice(preferred), ...addresses.slice(0, preferred)];
    return order.sort((a, b) => Number(backoff.isBackedOff(a)) - Number(backoff.isBackedOff(b)));
  }

  return {
    ask(request, deadline) {
      const order = inOrder().values();
      const failures: unknown[] = [];
      return new Promise((resolve, reject) => {
        let hedge: NodeJS.Timeout | undefined;
        let isSettled = false;
        const settle = (how: () => void) => {
          isSettled = true;
          clearTimeout(hedge);
          how();
        };
        const askNext = () => {
          clearTimeout(hedge);
          const { value: address } = order.next();
          if (address === undefined) return;
          hedge = setTimeout(askNext, HEDGE_MS);
          askOne(address, request, deadline).then(
            (first) => {
              preferred = addresses.indexOf(address);
              settle(() => resolve(first));
            },
            (error) => {
              failures.push(error);
              if (isSettled) return;
              if (failures.length === addresses.length) settle(() => reject(mostTelling(failures)));
              else askNext();
            },
          );
        };
        askNext();
      });
    },
    async askAll(request, deadline) {
      const results = await Promise.allSettled(addresses.map((address) => askOne(address, request, deadline)));
      const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      if (answers.length === 0)
        throw mostTelling(results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])));
      return answers;
    },
  };
}

/** A server that is away may come back, so that tells more than one that does not agree about TLS. */
function mostTelling(failures: readonly unknown[]): unknown {
  return failures.find((failure) => !isTlsFailure(failure)) ?? failures[0];
}
