import { ExactNumber, parseJson } from '../json.ts';
import { PAYLOAD_JSON } from '../rule-output.ts';

/** Returns the value at a path of own properties. A string on the path is parsed as JSON, as in `${payload.temp}`. */
export function lookup(scope: object, path: readonly string[]): unknown {
  let value: unknown = scope;
  for (let i = 0; i < path.length; i++) {
    const name = path[i]!;
    if (typeof value === 'string')
      value = i === 1 && PAYLOAD_JSON in scope && path[0] === 'payload' ? scope[PAYLOAD_JSON] : readJson(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactNumber)
      return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function readJson(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined; // a text that is not JSON has no fields
  }
}
