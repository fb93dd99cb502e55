import { checkWhole, SqsError } from './sqs-error.ts';

/**
 * A message attribute. `dataType` is `String` or `Number`, or one of these with a label, as in `Number.float`. SQS's third
 * type, `Binary`, is refused: nothing in Outflow sends it.
 */
export interface MessageAttribute {
  readonly dataType: string;
  readonly stringValue: string;
}

/** The attributes of a message, by name. */
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

const MAX_ATTRIBUTES = 10;
const NAME = /^(?!aws\.|amazon\.)(?!\.)(?!.*\.\.)[\w.-]{1,256}(?<!\.)$/i;
const DATA_TYPE = /^(String|Number)(\..+)?$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NOT_ALLOWED = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u;

/** @throws SqsError when the text has a character that SQS does not accept (SQS API Reference, SendMessage). */
export function checkCharacters(what: string, text: string): void {
  const found = NOT_ALLOWED.exec(text);
  if (found === null) return;
  const code = found[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  throw new SqsError(
    'InvalidMessageContents',
    `${what}: got U+${code} at index ${found.index}, which SQS does not accept`,
  );
}

/** @throws SqsError for attributes that SQS refuses. */
export function checkAttributes(attributes: MessageAttributes): void {
  const entries = Object.entries(attributes);
  checkWhole('The number of message attributes', entries.length, 0, MAX_ATTRIBUTES);
  for (const [name, attribute] of entries) {
    const fault = faultOf(name, attribute);
    if (fault) throw new SqsError('InvalidParameterValue', `Message attribute ${JSON.stringify(name)} ${fault}`);
    checkCharacters(`Message attribute ${name}`, attribute.stringValue ?? '');
  }
}

function faultOf(name: string, { dataType, stringValue }: MessageAttribute): string | undefined {
  if (!NAME.test(name)) return 'has a name that SQS does not accept';
  const base = dataType.length <= 256 ? DATA_TYPE.exec(dataType)?.[1] : undefined;
  if (base === undefined) return `has the type ${JSON.stringify(dataType)}; expected String or Number`;
  if (stringValue === undefined || stringValue === '') return 'has no string value';
  if (base === 'Number' && !NUMBER.test(stringValue))
    return `has the value ${JSON.stringify(stringValue)}; expected a number`;
  return undefined;
}

/** The bytes that the attributes add to the message's size: their names, types and values. */
export function attributesBytes(attributes: MessageAttributes): number {
  let bytes = 0;
  for (const [name, { dataType, stringValue }] of Object.entries(attributes)) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(dataType) + Buffer.byteLength(stringValue);
  }
  return bytes;
}
