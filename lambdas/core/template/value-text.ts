import { ExactNumber, stringifyJson } from '../json.ts';

/** Formats a value for a template: a string unchanged, a number as EMQX formats it, any other value as compact JSON. */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : floatText(value);
  if (value instanceof ExactNumber) return exactText(value);
  return stringifyJson(value);
}

const INTEGER = /^-?\d+$/;

function exactText({ text, value }: ExactNumber): string {
  if (INTEGER.test(text) || !Number.isFinite(value)) return text;
  return Number.isInteger(value) ? `${BigInt(value)}.0` : floatText(value);
}

/** One to ten decimals (EMQX, "Data Integration": numbers in templates). */
function floatText(value: number): string {
  const text = value.toFixed(10).replace(/0+$/, '');
  return text.endsWith('.') ? `${text}0` : text;
}
