import type { Clock } from '../../../net/clock.ts';
import { type Deadline, deadlineIn } from '../../../net/deadline.ts';
import { isTlsFailure } from '../../../net/tls.ts';
import type { BrokerBackoff } from '../broker-backoff.ts';
import { type Answer, type Request, resultCodes } from './command.ts';
import { RefusedError } from './errors.ts';
import type { Pool } from './pool.ts';

export interface NameServersOptions {
  /** `host:port` each. One that answers is enough. */
  readonly addresses: readonly string[];
  readonly pool: Pick<Pool, 'request'>;
  readonly backoff: BrokerBackoff;
  readonly clock: Clock;
}

export interface AnswerFrom {
  readonly address: string;
  readonly answer: Answer;
}

/** Queries name servers, which know the brokers of each topic. Each broker registers with all name servers. */
export interface NameServers {
  /** @returns the first answer. @throws the failure of one of them when none answers. */
  query(request: Request, deadline: Deadline): Promise<AnswerFrom>;
  /** @returns the answers of all that answer. @throws as `query` does. */
  queryAll(request: Request, deadline: Deadline): Promise<readonly AnswerFrom[]>;
}

/** If a name server has not answered by then, the next one is queried, too. */
const HEDGE_MS = 300;
const REQUEST_TIMEOUT_MS = 1_500;
const ANSWERS: ReadonlySet<number> = new Set([resultCodes.success, resultCodes.topicNotExist]);

export function openNameServers({ addresses, pool, backoff, clock }: NameServersOptions): NameServers {
  let preferred = Math.floor(Math.random() * addresses.length);

  async function queryOne(address: string, request: Request, within: Deadline): Promise<AnswerFrom> {
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

  /** The name server that answered last comes first; those that failed recently come last. */
  function byPreference(): string[] {
    const order = [...addresses.slice(preferred), ...addresses.slice(0, preferred)];
    return order.sort((a, b) => Number(backoff.isBackedOff(a)) - Number(backoff.isBackedOff(b)));
  }

  return {
    query(request, deadline) {
      const order = byPreference().values();
      const failures: unknown[] = [];
      return new Promise((resolve, reject) => {
        let hedge: NodeJS.Timeout | undefined;
        let isSettled = false;
        const settle = (how: () => void) => {
          isSettled = true;
          clearTimeout(hedge);
          how();
        };
        const queryNext = () => {
          clearTimeout(hedge);
          const { value: address } = order.next();
          if (address === undefined) return;
          hedge = setTimeout(queryNext, HEDGE_MS);
          queryOne(address, request, deadline).then(
            (first) => {
              preferred = addresses.indexOf(address);
              settle(() => resolve(first));
            },
            (error) => {
              failures.push(error);
              if (isSettled) return;
              if (failures.length === addresses.length) settle(() => reject(mostRelevant(failures)));
              else queryNext();
            },
          );
        };
        queryNext();
      });
    },
    async queryAll(request, deadline) {
      const results = await Promise.allSettled(addresses.map((address) => queryOne(address, request, deadline)));
      const answers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      if (answers.length === 0)
        throw mostRelevant(results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])));
      return answers;
    },
  };
}

/** A server that is away may come back, so its failure comes before a TLS failure, which would stop the task. */
function mostRelevant(failures: readonly unknown[]): unknown {
  return failures.find((failure) => !isTlsFailure(failure)) ?? failures[0];
}
