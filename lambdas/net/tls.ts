/** TLS from the first byte. A certificate that cannot be verified is always refused. */
export interface TlsOptions {
  /** Certificate authorities in PEM, in place of those that Node trusts. @default - those that Node trusts */
  readonly ca?: string | Buffer;
  /** The name that the server's certificate must carry. @default - the host of the address */
  readonly servername?: string;
  /** Certificate and private key of the client in PEM, for servers that require them. */
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
}

const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|EPROTO$|CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|ERR_OSSL)/;

/** Whether client and server disagree on TLS: the certificate, its authority, its host name, or whether TLS is used at all. */
export function isTlsFailure(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (TLS_CODE.test((cause as NodeJS.ErrnoException).code ?? '') || isHungUp(cause)) return true;
  return false;
}

/**
 * Whether the server closed the connection in good order during the TLS handshake, as RocketMQ does on a port without TLS.
 * A server that has died resets the connection instead, and the error of a reset names a system call. A TCP proxy whose
 * server is away looks like a port without TLS; the circuit then closes once the server is back.
 */
export function isHungUp(error: Error): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' && syscall === undefined;
}
