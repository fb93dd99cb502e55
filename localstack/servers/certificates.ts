import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A server's certificate, its key, and the certificate of the authority that signed it, as PEM. */
export interface Certificates {
  readonly ca: string;
  readonly certificate: string;
  /** PKCS #8 */
  readonly key: string;
}

const DAY_MS = 86_400_000;
const VALID_DAYS = 365;

/** The parts of a certificate that differ between tests. */
export interface CertificateOptions {
  /** DNS name of the server. @default - `localhost` and 127.0.0.1 */
  readonly host?: string;
  /** Whether the certificate expired a day ago. @default false */
  readonly isExpired?: boolean;
}

/** A certificate authority that signs server certificates (RFC 5280). */
export interface Authority {
  /** The authority's certificate, PEM. */
  readonly ca: string;
  issue(options?: CertificateOptions): Pick<Certificates, 'certificate' | 'key'>;
}

/** Creates an authority and a server certificate for `localhost` and 127.0.0.1. */
export function makeCertificates(): Certificates {
  const { ca, issue } = makeAuthority('Outflow test authority');
  return { ca, ...issue() };
}

/**
 * Creates a certificate authority.
 *
 * @param issuer its name; a client that trusts two authorities of one name may confuse them
 */
export function makeAuthority(issuer: string): Authority {
  const { publicKey, privateKey: issuerKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signed = (given: Pick<ToSign, 'subject' | 'publicKey' | 'extensions' | 'isExpired'>) =>
    pem('CERTIFICATE', certificate({ issuer, issuerKey, ...given }));
  return {
    ca: signed({ subject: issuer, publicKey, extensions: [extension(BASIC_CONSTRAINTS, sequence(TRUE), true)] }),
    issue({ host, isExpired } = {}) {
      const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const subject = host ?? 'localhost';
      const addresses = host === undefined ? [der(0x87, Buffer.from([127, 0, 0, 1]))] : [];
      const names = sequence(der(0x82, Buffer.from(subject)), ...addresses);
      return {
        certificate: signed({
          subject,
          publicKey: server.publicKey,
          extensions: [extension(SUBJECT_ALT_NAME, names)],
          isExpired,
        }),
        key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      };
    },
  };
}

interface ToSign {
  readonly issuer: string;
  readonly issuerKey: KeyObject;
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly isExpired?: boolean | undefined;
}

function certificate({ issuer, issuerKey, subject, publicKey, extensions, isExpired = false }: ToSign): Buffer {
  const now = Date.now();
  const content = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    // The first byte makes it positive, and is not a superfluous zero.
    integer(Buffer.from([0x40, ...randomBytes(15)])),
    sequence(ECDSA_WITH_SHA256),
    name(issuer),
    sequence(time(now - 2 * DAY_MS), time(now + (isExpired ? -1 : VALID_DAYS) * DAY_MS)),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  return sequence(content, sequence(ECDSA_WITH_SHA256), bits(sign('sha256', content, issuerKey)));
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content)]), content]);
}

/** The shortest DER form; Java accepts no other. */
function lengthOf({ length }: Buffer): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
}

const sequence = (...contents: Buffer[]) => der(0x30, ...contents);
const integer = (bytes: Buffer) => der(0x02, bytes);
const bits = (bytes: Buffer) => der(0x03, Buffer.from([0]), bytes);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const name = (text: string) => sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(text)))));

function extension(id: Buffer, value: Buffer, critical = false): Buffer {
  return sequence(id, ...(critical ? [TRUE] : []), der(0x04, value));
}

// UTCTime has two digits for the year, and RFC 5280 requires it for years before 2050.
function time(ms: number): Buffer {
  const text = `${new Date(ms)
    .toISOString()
    .replaceAll(/[-:T]|\..*/g, '')
    .slice(2)}Z`;
  return der(0x17, Buffer.from(text));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g)!;
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

const TRUE = der(0x01, Buffer.from([0xff]));
const ECDSA_WITH_SHA256 = oid('2a8648ce3d040302');
const COMMON_NAME = oid('550403');
const BASIC_CONSTRAINTS = oid('551d13');
const SUBJECT_ALT_NAME = oid('551d11');
