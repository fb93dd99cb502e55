/**
 * Returns the double whose shortest decimal text has the same value as a JSON number's text; undefined when there is none.
 * `0.1` and `3.0e2` have such a double; `9007199254740993`, `1e400` and `0.1234567890123456789` do not.
 */
export function exactDouble(text: string): number | undefined {
  const value = Number(text);
  if (!Number.isFinite(value)) return undefined;
  const shortest = String(value);
  return shortest === text || decimal(shortest) === decimal(text) ? value : undefined;
}

/** Normalises a decimal: sign, digits without leading and trailing zeros, power of ten. */
function decimal(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const negative = mantissa.startsWith('-');
  const [whole = '', fraction = ''] = (negative ? mantissa.slice(1) : mantissa).split('.');
  const digits = whole + fraction;
  let start = 0;
  let end = digits.length;
  while (digits[start] === '0') start++;
  while (end > start && digits[end - 1] === '0') end--;
  if (start === end) return '0';
  return `${negative ? '-' : ''}${digits.slice(start, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}
