/**
 * A fault on the connections of a link, open ones included.
 *
 * @see https://github.com/Shopify/toxiproxy#toxics
 */
export type Toxic = ToxicKind & {
  /**
   * The direction of the data that the fault affects: `upstream` is to the server, `downstream` is from it.
   *
   * @default 'downstream'
   */
  readonly direction?: 'upstream' | 'downstream';
  /**
   * The share of connections that get the fault, 0 to 1.
   *
   * @default 1
   */
  readonly toxicity?: number;
};

export type ToxicKind =
  /** Delays data by `latencyMs`, give or take up to `jitterMs`. */
  | { readonly type: 'latency'; readonly latencyMs: number; readonly jitterMs?: number }
  /** Limits the data rate. */
  | { readonly type: 'bandwidth'; readonly kilobytesPerSecond: number }
  /** Drops all data and closes the connection after `timeoutMs`. With 0 it stays open until the fault is removed. */
  | { readonly type: 'timeout'; readonly timeoutMs: number }
  /**
   * Resets the connection `timeoutMs` after its first data. A connection that was open before the fault is closed instead.
   * A connection that `toxicity` spares ends with a reset too.
   */
  | { readonly type: 'reset_peer'; readonly timeoutMs: number }
  /** Delays the end of a connection. */
  | { readonly type: 'slow_close'; readonly delayMs: number }
  /** Splits data into pieces of `averageBytes`, give or take `variationBytes`, with a pause between them. */
  | {
      readonly type: 'slicer';
      readonly averageBytes: number;
      readonly variationBytes: number;
      readonly delayUs: number;
    }
  /** Passes `bytes` bytes, then closes the connection in both directions. */
  | { readonly type: 'limit_data'; readonly bytes: number };

/** The body of Toxiproxy's request for a new toxic. */
export function toRequest(toxic: Toxic): object {
  const { type, direction = 'downstream', toxicity = 1 } = toxic;
  return { type, stream: direction, toxicity, attributes: attributesOf(toxic) };
}

function attributesOf(toxic: ToxicKind): object {
  switch (toxic.type) {
    case 'latency':
      return { latency: toxic.latencyMs, jitter: toxic.jitterMs ?? 0 };
    case 'bandwidth':
      return { rate: toxic.kilobytesPerSecond };
    case 'timeout':
    case 'reset_peer':
      return { timeout: toxic.timeoutMs };
    case 'slow_close':
      return { delay: toxic.delayMs };
    case 'slicer':
      return { average_size: toxic.averageBytes, size_variation: toxic.variationBytes, delay: toxic.delayUs };
    case 'limit_data':
      return { bytes: toxic.bytes };
  }
}
