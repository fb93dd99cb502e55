import { NeverRetry } from '../../../core/errors.ts';

const AFTER_NAME = '\x01';
const AFTER_PAIR = '\x02';

/** Brokers accept 32,767 characters or bytes, including properties that they add. */
export const MAX_PROPERTIES_BYTES = 32_000;

/**
 * Encodes properties for sending. Brokers of 4.9.0 to 4.9.2 append their own properties to those of a batch without a separator,
 * so the last pair ends with one, too; all brokers read it. The encoding has no escapes, so separators in a name or value are refused. Empty values do
 * not arrive, and are left out. Half surrogate pairs become U+FFFD: a server would read other bytes than were signed.
 *
 * @throws NeverRetry
 */
export function encodeProperties(properties: Iterable<readonly [name: string, value: string]>): string {
  const pairs: string[] = [];
  for (const [name, value] of properties) {
    if (value === '') continue;
    if ([name, value].some((text) => text.includes(AFTER_NAME) || text.includes(AFTER_PAIR)))
      throw new NeverRetry('REJECTED', 'a key, the tag, the group or a property holds the character U+0001 or U+0002');
    pairs.push(name + AFTER_NAME + value + AFTER_PAIR);
  }
  const text = pairs.join('').toWellFormed();
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_PROPERTIES_BYTES)
    throw new NeverRetry(
      'MESSAGE_TOO_LARGE',
      `properties, keys and tag have ${bytes} bytes; expected at most ${MAX_PROPERTIES_BYTES}`,
    );
  return text;
}
