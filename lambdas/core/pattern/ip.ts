import { ExactNumber } from '../json.ts';
import type { Test } from './leaf.ts';
import { type PatternValue, reject } from './value.ts';

/** Returns an IPv4 or IPv6 address as 8 or 32 hexadecimal digits; undefined for any other text. */
export function addressDigits(text: string): string | undefined {
  // No address is longer.
  if (text.length > 45) return undefined;
  const bytes = text.includes(':') ? ipv6(text) : ipv4(text);
  return bytes && hex(bytes);
}

/** Compiles `10.0.0.0/8` or `2001:db8::/32` to a test of addresses. */
export function cidr(value: PatternValue, at: string): Test {
  const [address = '', length = '', ...rest] = typeof value === 'string' ? value.split('/') : [];
  const base = address.includes(':') ? ipv6(address) : ipv4(address);
  const bits = /^(?:0|[1-9]\d{0,2})$/.test(length) ? Number(length) : Number.NaN;
  if (base === undefined || rest.length > 0 || !(bits < base.length * 8)) {
    return reject(at, value, 'an address block: IPv4 with /0 to /31 or IPv6 with /0 to /127');
  }
  const hostMasks = base.map((_, i) => 0xff >> Math.min(8, Math.max(0, bits - 8 * i)));
  const first = hex(base.map((byte, i) => byte & ~(hostMasks[i] ?? 0)));
  const last = hex(base.map((byte, i) => byte | (hostMasks[i] ?? 0)));
  return (leaf) => {
    if (typeof leaf === 'string') return isBetween(first, addressDigits(leaf), last);
    // AWS compares the digits of a number with those of an address.
    if (typeof leaf === 'number') return isBetween(first, String(leaf), last);
    return leaf instanceof ExactNumber && isBetween(first, leaf.text, last);
  };
}

/** Compiles an exact address, which matches in every spelling. */
export function sameAddress(digits: string): Test {
  return (leaf) => typeof leaf === 'string' && addressDigits(leaf) === digits;
}

// AWS compares digits from the left, whichever family they are of, so ::/0 takes IPv4 addresses too. Digits that end
// where they still equal a longer border have not come inside it.
function isBetween(first: string, digits: string | undefined, last: string): boolean {
  if (digits === undefined) return false;
  if (digits.length < first.length)
    return digits > first.slice(0, digits.length) && digits < last.slice(0, digits.length);
  const start = digits.slice(0, first.length);
  return start >= first && start <= last;
}

function hex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('');
}

function ipv4(text: string): number[] | undefined {
  const parts = text.split('.');
  const isAddress = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
  return isAddress ? parts.map(Number) : undefined;
}

function ipv6(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (!groups.flat().every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return undefined;
  const bytes = [...head, ...Array<string>(missing).fill('0'), ...tail].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? bytes.slice(12) : bytes;
}
