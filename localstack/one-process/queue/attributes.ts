import { createHash } from 'node:crypto';
import { checkWhole, SqsError } from './sqs-error.ts';

/** A message attribute: `String`, `Number` or `Binary`, or one of these with a label, as in `Number.float`. */
export type MessageAttribute =
  | { readonly dataType: string; readonly stringValue: string; readonly binaryValue?: undefined }
  | { readonly dataType: string; readonly binaryValue: Uint8Array; readonly stringValue?: undefined };

/** The attributes of a message by name. */
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

const MAX_ATTRIBUTES = 10;
const NAME = /^(?!aws\.|amazon\.)(?!\.)(?!.*\.\.)[\w.-]{1,256}(?<!\.)$/i;
const DATA_TYPE = /^(String|Number|Binary)(\..+)?$/;
const NOT_ALLOWED = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** Refuses text with a character outside the set that SQS takes. */
export function checkCharacters(what: string, text: string): void {
  const found = NOT_ALLOWED.exec(text);
  if (found === null) return;
  const code = found[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw new SqsError('InvalidMessageContents', `${what} holds U+${code} at ${found.index}, which SQS does not take`);
}

/** Refuses the attributes that SQS would refuse. */
export function checkAttributes(attributes: MessageAttributes): void {
  const entries = Object.entries(attributes);
  checkWhole('The number of message attributes', entries.length, 0, MAX_ATTRIBUTES);
  for (const [name, attribute] of entries) {
    const fault = faultOf(name, attribute);
    if (fault) throw new SqsError('InvalidParameterValue', `Message attribute ${JSON.stringify(name)} ${fault}`);
    checkCharacters(`Message attribute ${name}`, attribute.stringValue ?? '');
  }
}

function faultOf(name: string, { dataType, stringValue, binaryValue }: MessageAttribute): string | undefined {
  if (!NAME.test(name)) return 'has a name that SQS does not take';
  const base = dataType.length <= 256 ? DATA_TYPE.exec(dataType)?.[1] : undefined;
  if (base === undefined) return `has the type ${JSON.stringify(dataType)}; expected String, Number or Binary`;
  const value = base === 'Binary' ? binaryValue : stringValue;
  if (value === undefined || value.length === 0) return `has no ${base === 'Binary' ? 'binary' : 'string'} value`;
  if (base === 'Number' && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(stringValue ?? '')) return 'is not a number';
  return undefined;
}

/** What the attributes add to a message's size: their names, types and values. */
export function attributesBytes(attributes: MessageAttributes): number {
  let bytes = 0;
  for (const [name, { dataType, stringValue, binaryValue }] of Object.entries(attributes)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(dataType);
    bytes += stringValue === undefined ? binaryValue.byteLength : Buffer.byteLength(stringValue);
  }
  return bytes;
}

/**
 * The digest SQS returns for attributes: names in order; name, type and value each after its length; between type and
 * value one byte, 1 for text and 2 for binary.
 */
export function attributesMd5(attributes: MessageAttributes): string {
  const hash = createHash('md5');
  const part = (data: string | Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(data));
    hash.update(length).update(data);
  };
  for (const name of Object.keys(attributes).sort()) {
    const { dataType, stringValue, binaryValue } = attributes[name]!;
    part(name);
    part(dataType);
    hash.update(Uint8Array.of(stringValue === undefined ? 2 : 1));
    part(stringValue ?? binaryValue ?? '');
  }
  return hash.digest('hex');
}
