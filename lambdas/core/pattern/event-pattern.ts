import type { ClientEventData, SystemProperties } from '../event.ts';
import type { ClientEventType, DELIVERED, PUBLISH } from '../event-type.ts';

/**
 * An event pattern over the event of a message, as Amazon EventBridge has it (docs/event-patterns.md): it has the keys of the
 * event; in place of each value stands a list, and one of its entries has to match.
 */
export interface EventPattern {
  /** At least two patterns, one of which has to match. */
  readonly $or?: readonly EventPattern[];
  readonly id?: FieldConditions;
  /** Event type, such as `mqtt.message.publish`. */
  readonly type?: FieldConditions<ClientEventType | typeof DELIVERED | typeof PUBLISH>;
  /** Type of the task's source. */
  readonly source?: FieldConditions;
  /** Topic of the message. */
  readonly subject?: FieldConditions;
  /** RFC 3339, milliseconds, UTC. */
  readonly time?: FieldConditions;
  readonly specversion?: FieldConditions;
  readonly datacontenttype?: FieldConditions;
  readonly data?: DataPattern;
}

/** Conditions on `data` of the event: the known fields, and any other. */
export type DataPattern = FieldPatterns & {
  readonly $or?: readonly Alternative[];
  readonly flags?: FieldPatterns & { readonly retain?: FieldConditions; readonly dup?: FieldConditions };
  /** The payload: a JSON value, text, or base64, by the source's `dataFormat`. */
  readonly body?: FieldConditions | FieldPatterns;
  readonly userProperties?: FieldPatterns;
  readonly systemProperties?: FieldPatterns & { readonly [Name in keyof SystemProperties]?: FieldConditions };
} & {
  readonly [Name in Exclude<keyof ClientEventData, DataObject>]?: FieldConditions;
};

type DataObject = 'flags' | 'body' | 'userProperties' | 'systemProperties';

/** Conditions on the fields of an object, by name. `$or` holds alternatives in place of a field's conditions. */
export interface FieldPatterns {
  readonly [field: string]: FieldConditions | FieldPatterns | readonly Alternative[];
}

/** An alternative of `$or`. None of its fields can have the name of an operator. */
export type Alternative = FieldPatterns & { readonly [Name in keyof PatternOperators]?: never };

/** What a field may be, at least one entry: values, compared with their types, and operators. */
export type FieldConditions<Known extends string = never> = readonly (
  | Known
  | (string & {})
  | number
  | boolean
  | null
  | PatternOperator
)[];

/** An object with exactly one operator. */
export type PatternOperator = ExactlyOne<PatternOperators>;

/** The operators with the values that they take. */
export interface PatternOperators {
  /** The string itself, also where it is an IP address. */
  readonly exactly: string;
  /** How a string begins. */
  readonly prefix: string | IgnoringCase;
  /** How a string ends. */
  readonly suffix: string | IgnoringCase;
  /** Part of a string. */
  readonly contains: string;
  /** The string in any case. */
  readonly 'equals-ignore-case': string;
  /** `*` stands for any characters, none included; `\*` and `\\` for themselves. */
  readonly wildcard: string;
  /** A value that exists and is none of these. */
  readonly 'anything-but': string | number | readonly string[] | readonly number[] | ExactlyOne<AnythingButForms>;
  /** One bound, or a lower bound and then an upper one. */
  readonly numeric: NumericRange;
  /** Block that an IP address is in, such as `10.0.0.0/24`. */
  readonly cidr: string;
  /** Whether the field has a value. */
  readonly exists: boolean;
}

/** Forms of `anything-but`, each with one string or a list of them. */
export interface AnythingButForms {
  readonly prefix: string | readonly string[];
  readonly suffix: string | readonly string[];
  readonly 'equals-ignore-case': string | readonly string[];
  readonly wildcard: string | readonly string[];
}

export type NumericRange =
  | readonly ['=' | '<' | '<=' | '>' | '>=', number]
  | readonly ['>' | '>=', number, '<' | '<=', number];

interface IgnoringCase {
  readonly 'equals-ignore-case': string;
}

type ExactlyOne<Forms> = {
  [Name in keyof Forms]: { readonly [Other in keyof Forms]?: Other extends Name ? unknown : never } & {
    readonly [Own in Name]: Forms[Own];
  };
}[keyof Forms];
