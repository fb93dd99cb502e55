import type { Clock } from './clock.ts';

/** Reads credentials. `refresh` is true when a server refused the ones read before: they may have been rotated. */
export type CredentialsSource<Credentials> = (options: {
  readonly refresh: boolean;
}) => Credentials | Promise<Credentials>;

/** Keeps credentials in memory between calls. */
export interface CredentialsCache<Credentials> {
  /** The current credentials. Those older than `CREDENTIALS_TTL_MS` are read again first. @throws what the source throws. */
  current(): Promise<Credentials>;
  /**
   * Reads the credentials again, at most once a second, after a server refused some.
   *
   * @param isRefused Whether these are the credentials that the server refused.
   * @returns whether the current credentials are now different from those.
   */
  renew(isRefused: (credentials: Credentials) => boolean): Promise<boolean>;
}

/** Each read of a secret costs money and counts against a quota. */
const RENEW_EVERY_MS = 1_000;
/** Credentials still in use are read again after this time, so that new ones are known before the old ones end. */
export const CREDENTIALS_TTL_MS = 300_000;

export function credentialsCache<Credentials>(
  source: CredentialsSource<Credentials>,
  clock: Clock,
): CredentialsCache<Credentials> {
  let latest: Promise<Credentials> | undefined;
  let readAtMs = 0;
  let renewedAtMs = Number.NEGATIVE_INFINITY;

  /** If the read fails, `fallback` stays in use. */
  function read(refresh: boolean, fallback?: Promise<Credentials>): Promise<Credentials> {
    const reading = (async () => source({ refresh }))();
    const result = fallback === undefined ? reading : reading.catch(() => fallback);
    readAtMs = clock.wallMs();
    latest = result;
    result.catch(() => {
      if (latest === result) latest = undefined;
    });
    return result;
  }

  return {
    current() {
      if (latest === undefined) return read(false);
      return clock.wallMs() - readAtMs < CREDENTIALS_TTL_MS ? latest : read(false, latest);
    },
    async renew(isRefused) {
      const isDifferent = async () => !isRefused(await (latest ?? read(false)));
      if (await isDifferent()) return true;
      if (clock.monotonicMs() - renewedAtMs >= RENEW_EVERY_MS) {
        renewedAtMs = clock.monotonicMs();
        await read(true);
      }
      // Another request may have read new credentials meanwhile.
      return isDifferent();
    },
  };
}
