/**
 * A fault on every connection of a link, those that are open included. Their meaning is Toxiproxy's:
 * https://github.com/Shopify/toxiproxy#toxics
 */
export type Toxic = ToxicKind & {
  /**
   * Which way the data goes that meets it: to the server, or back from it.
   *
   * @default 'downstream'
   */
  readonly direction?: 'upstream' | 'downstream';
  /**
   * The part of connections that it is put on, from 0 to 1.
   *
   * @default 1
   */
  readonly toxicity?: number;
};

export type ToxicKind =
  /** Data arrives later, by up to `jitterMs` more or less. */
  | { readonly type: 'latency'; readonly latencyMs: number; readonly jitterMs?: number }
  | { readonly type: 'bandwidth'; readonly kilobytesPerSecond: number }
  /** No data arrives, and the connection is closed after `timeoutMs`: for 0, not before the toxic goes. */
  | { readonly type: 'timeout'; readonly timeoutMs: number }
  /**
   * The first data resets the connection, after `timeoutMs`; one that was open already is closed instead. Spared
   * connections end by a reset too.
   */
  | { readonly type: 'reset_peer'; readonly timeoutMs: number }
  /** The end of a connection arrives later. */
  | { readonly type: 'slow_close'; readonly delayMs: number }
  /** Data arrives in pieces of about this size, with a pause between them. */
  | {
      readonly type: 'slicer';
      readonly averageBytes: number;
      readonly variationBytes: number;
      readonly delayUs: number;
    }
  /** So much data arrives on a connection, which is then closed both ways. */
  | { readonly type: 'limit_data'; readonly bytes: number };

/** As Toxiproxy's API takes it. */
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
